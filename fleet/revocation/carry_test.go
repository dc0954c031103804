package revocation

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/session"
)

// carriedPublisher returns a publisher whose carrier has nothing yet.
func carriedPublisher(t *testing.T, key SigningKey, now time.Time, seed uint64) *modelPublisher {
	w := &world{T: t, r: rand.New(rand.NewPCG(seed, 9)), now: now, stored: make(map[StateKey][]byte)}
	p := &modelPublisher{w: w, Publisher: storePublisher(t, fastDir(t), key, now), began: now, rate: 1, saved: true}
	p.config.Carrier = modelCarrier{w}
	t.Cleanup(func() { _ = p.store.close() })
	return p
}

// add publishes records.
func (p *modelPublisher) add(r ...Record) {
	p.w.Helper()
	if _, err := p.append(p.w.now, r); err != nil {
		p.w.Fatal(err)
	}
}

func expired(now time.Time) Record {
	return Record{Kind: KindUsed, Used: session.UsedToken, ID: [16]byte{1}, Until: now.Add(-time.Hour)}
}

// Whatever the carrier fails to store or to delete, and in whatever turn: a record that it has had it has,
// until the record may be forgotten.
func TestCarriedStays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		p := carriedPublisher(t, GenerateSigningKey(), time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), seed)
		w := p.w
		had := make(map[int64]bool)
		for step := range 600 {
			switch n := w.r.IntN(20); {
			case n < 6:
				p.add(oneToken(step))
			case n < 8:
				p.add(expired(w.now), expired(w.now))
			case n < 17:
				first, m, remove := p.nextCarried(w.r.IntN(6))
				ok := w.r.IntN(3) > 0
				switch k := (StateKey{p.id, first}); {
				case ok && remove:
					delete(w.stored, k)
				case ok && m != nil:
					w.stored[k] = m
				}
				p.hasCarried(first, m, remove, ok)
			case n < 19:
				w.now = w.now.Add(settle / 2)
			default:
				if err := p.compact(w.now); err != nil {
					t.Fatal(err)
				}
			}
			has := make(map[int64]bool)
			for _, m := range w.stored {
				s, _ := parseSegment(m)
				s.records(func(r *Record) {
					if !r.over(w.now) {
						has[r.Time.UnixMicro()], had[r.Time.UnixMicro()] = true, true
					}
				})
			}
			if len(has) != len(had) {
				t.Fatalf("seed %d, step %d: of %d records that were stored %d are", seed, step, len(had), len(has))
			}
		}
	}
}

// A segment that is merged with another while it is being stored is deleted once the merged one is stored.
func TestMergedWhileItIsStored(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	p := carriedPublisher(t, GenerateSigningKey(), now, 1)
	p.add(oneToken(1))
	p.add(oneToken(2))
	first, m, remove := p.nextCarried(0)
	if first != 2 || remove {
		t.Fatalf("%d is stored first, deleted %v", first, remove)
	}
	if err := p.compact(now.Add(settle)); err != nil {
		t.Fatal(err)
	}
	p.w.stored[StateKey{p.id, first}] = m
	p.hasCarried(first, m, false, true)
	for p.carry(true) {
	}
	if len(p.w.stored) != 1 {
		t.Errorf("%d segments are stored", len(p.w.stored))
	}
}

// What somebody else has stored in the publisher's name, with whatever numbers, is deleted.
func TestForgeriesAreDeleted(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := carriedPublisher(t, GenerateSigningKey(), now, 1)
	p.add(oneToken(1))
	c := content{first: 7}
	forged := oneToken(2)
	forged.fill(7, now.UnixMicro(), time.Hour)
	c.add(&forged)
	s := segment{publisher: p.id, epoch: p.epoch + 1, first: 7, end: maxNumber, merged: true, content: c.bytes()}
	m, err := s.appendTo(nil, GenerateSigningKey())
	if err != nil || !s.records(nil) {
		t.Fatal("the forgery is not well formed", err)
	}
	p.w.stored[StateKey{p.id, 7}] = m
	p.announce(context.Background(), false)
	for p.carry(true) {
	}
	if len(p.w.stored) != 1 || p.w.stored[StateKey{p.id, 1}] == nil {
		t.Errorf("%d segments are stored", len(p.w.stored))
	}
}

// A number that is used again, after the store was lost, is not deleted for what was stored under it before.
func TestNumberIsUsedAgain(t *testing.T) {
	t.Parallel()
	key, now := GenerateSigningKey(), time.Now()
	former, p := carriedPublisher(t, key, now, 1), carriedPublisher(t, key, now, 2)
	for range 3 {
		former.add(expired(now))
	}
	third := StateKey{p.id, 3}
	p.w.stored[third] = former.history.kept[2].bytes
	p.add(oneToken(1))
	p.add(oneToken(2))
	for p.carry(true) {
	}
	p.announce(context.Background(), false)
	if n := len(p.carried.gone); n != 1 {
		t.Fatalf("%d segments are to be deleted", n)
	}
	p.add(oneToken(3))
	for p.carry(true) {
	}
	if len(p.carried.gone) > 0 || !bytes.Equal(p.w.stored[third], p.history.kept[2].bytes) {
		t.Error("the third record is not stored")
	}
}
