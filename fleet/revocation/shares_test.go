package revocation

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/session"
)

// Whoever has stolen the keys of match servers takes no room from what the central publisher bans and
// lifts, and no server admits nobody new for it.
func TestStolenServerKeys(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	key, events, sink := GenerateSigningKey(), &eventSink{}, newModelSink()
	trusted := []Trusted{{Name: "central", Key: key.Public(), Kinds: AllKinds, LiftAny: true}}
	for i := range 9 {
		trusted = append(trusted, Trusted{Name: fmt.Sprint("match ", i), Key: GenerateSigningKey().Public(), Kinds: ServerKinds, Optional: true})
	}
	config, err := SubscriberConfig{Trusted: trusted, Carrier: modelCarrier{}, Sink: sink, Audit: events}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := newCore(config, now, nil)
	c.started = true
	for _, f := range c.order {
		f.loaded = true
	}
	c.rules.shares.most = 1 << 13 // in place of maxListed, to be quick
	central, stolen := c.order[0], c.order[1:]
	n := uint64(0)
	apply := func(f *follower, r Record) {
		t.Helper()
		n++
		r.fill(n, now.UnixMicro()+int64(n), time.Hour)
		if !c.apply(now, f, nil, &r) {
			t.Fatalf("%s makes the server full with record %d", f.trusted.Name, n)
		}
	}
	for i := range 300 {
		apply(central, Record{Kind: KindBan, Issuer: "issuer", Value: fmt.Sprint("cheat ", i)})
	}
	for _, f := range stolen {
		for i := range c.rules.shares.one() + 10 {
			apply(f, Record{Kind: KindBan, Issuer: "issuer", Value: fmt.Sprint(f.trusted.Name, i)})
			apply(f, Record{Kind: KindLift, Issuer: "issuer", Value: fmt.Sprint("cheat ", i)})
		}
		for i := range c.rules.shares.one() + 10 {
			apply(f, Record{Kind: KindSession, ID: [16]byte{byte(i >> 16), byte(i >> 8), byte(i), f.id[0], f.id[1]}})
		}
	}
	for i := range 300 {
		if _, ok := sink.bans[fmt.Sprint("issuer cheat ", i)]; !ok {
			t.Fatal("a match server has lifted a ban of the central publisher")
		}
		apply(central, Record{Kind: KindLift, Issuer: "issuer", Value: fmt.Sprint("cheat ", i)})
		apply(central, Record{Kind: KindBan, Issuer: "issuer", Value: fmt.Sprint("new ", i)})
		if _, ok := sink.bans[fmt.Sprint("issuer cheat ", i)]; ok {
			t.Fatal("the central publisher does not lift its ban")
		}
		if _, ok := sink.bans[fmt.Sprint("issuer new ", i)]; !ok {
			t.Fatal("the central publisher does not ban")
		}
	}
	if c.view().full || len(sink.bans) > c.rules.shares.most/2+300 || len(c.rules.lifts) > c.rules.shares.most/2+600 {
		t.Errorf("full %v, %d bans, %d lifts", c.view().full, len(sink.bans), len(c.rules.lifts))
	}
	if len(events.details) != len(stolen) || events.details[0] != "too much match 0" {
		t.Errorf("%d alarms: %q", len(events.details), events.details[:min(3, len(events.details))])
	}
	// The central publisher lifts what the stolen key has banned, and there is room again.
	one := stolen[0]
	before := *c.rules.shares.of[one.id]
	apply(central, Record{Kind: KindLift, Issuer: "issuer", Value: one.trusted.Name + "0", Of: one.id, At: now.Add(time.Hour)})
	if after := c.rules.shares.of[one.id]; after.bans != before.bans-1 {
		t.Errorf("%d bans, before %d", after.bans, before.bans)
	}
	c.rules.forget(now.AddDate(1, 0, 0))
	sum := share{}
	for _, s := range c.rules.shares.of {
		sum.bans, sum.lifts = sum.bans+s.bans, sum.lifts+s.lifts
	}
	bans := 0
	for _, p := range c.rules.bans {
		bans += len(p.bans)
	}
	if sum.bans != bans || c.rules.shares.bans != bans || sum.lifts != len(c.rules.lifts) {
		t.Errorf("%+v are counted, %d bans and %d lifts are there", sum, bans, len(c.rules.lifts))
	}
}

// smallSink has room for some revocations.
type smallSink struct {
	*modelSink
	room int
}

func (s *smallSink) Revoke(r session.Revocation) (int, error) {
	if len(s.has) >= s.room {
		return 0, session.ErrRevocationsFull
	}
	return s.modelSink.Revoke(r)
}

// A session that a match server has revoked counts once in its share, however often a server that was full
// reads it again: none that is within the share is ignored.
func TestSessionsCountOnce(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	key, sink := GenerateSigningKey(), &smallSink{newModelSink(), 5}
	p := storePublisher(t, fastDir(t), key, now)
	defer p.store.close()
	config, err := SubscriberConfig{Trusted: []Trusted{{Name: "match", Key: key.Public(), Kinds: ServerKinds, Optional: true}}, Carrier: modelCarrier{}, Sink: sink}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := newCore(config, now, nil)
	c.rules.shares.most = 16 * 12
	for i := range 13 {
		if i == 10 {
			for range 10 {
				c.tick(now)
				if have := c.order[0].have; have != nil {
					t.Fatalf("not read again: %v", have)
				}
				_ = p.segments(0, func(m []byte) error { c.receive(now, m); return nil })
				if len(sink.has) != 5 || c.counts.Forbidden != 0 {
					t.Fatalf("%d are in force, %d were ignored", len(sink.has), c.counts.Forbidden)
				}
				now = now.Add(20 * time.Minute)
			}
			sink.room = 100
		}
		segments, err := p.append(now, []Record{{Kind: KindSession, ID: [16]byte{byte(i + 1)}}})
		if err != nil {
			t.Fatal(err)
		}
		c.receive(now, segments[0].bytes)
		if i == 9 {
			now = now.Add(20 * time.Minute)
		}
	}
	c.tick(now)
	_ = p.segments(0, func(m []byte) error { c.receive(now, m); return nil })
	if len(sink.has) != 12 || c.counts.Forbidden != 2 {
		t.Errorf("%d of 12 are in force, %d were ignored", len(sink.has), c.counts.Forbidden)
	}
}

// There are 1,024 publishers at most, however they are added.
func TestTrustedBound(t *testing.T) {
	t.Parallel()
	var many []Trusted
	for i := range maxTrusted + 1 {
		key := make([]byte, 32)
		key[0], key[1] = byte(i), byte(i>>8)
		many = append(many, Trusted{Name: "m", Key: key, Kinds: ServerKinds})
	}
	config := SubscriberConfig{Trusted: many, Carrier: modelCarrier{}, Sink: newModelSink()}
	if _, err := NewSubscriber(config); !errors.Is(err, ErrConfig) {
		t.Errorf("%v", err)
	}
	config.Trusted = many[:maxTrusted]
	s, err := NewSubscriber(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Trust(many[:3]...); err != nil {
		t.Errorf("replacing: %v", err)
	}
	if err := s.Trust(many[maxTrusted]); !errors.Is(err, ErrConfig) {
		t.Errorf("one more: %v", err)
	}
}
