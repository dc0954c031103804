package keys

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
)

// badge is a voice without certificates, so that a model may say much: each name has a secret that
// only the test knows.
type badge struct{ id, peer string }

func (b badge) name() string { return b.id }

func mac(name string, k kind, body []byte) []byte {
	m := hmac.New(sha256.New, []byte("secret of "+name))
	m.Write(signed(k, body))
	return m.Sum(nil)
}

func (b badge) sign(k kind, body []byte) ([]byte, error) {
	return envelope{kind: k, chain: [][]byte{[]byte(b.id)}, body: body, signature: mac(b.id, k, body)}.append(nil)
}

func (b badge) open(k kind, m []byte) (string, []byte, error) {
	e, err := parseEnvelope(m)
	if err != nil || e.kind != k || len(e.chain) != 1 {
		return "", nil, errForm
	}
	name := string(e.chain[0])
	if !hmac.Equal(e.signature, mac(name, k, e.body)) || !strings.HasPrefix(name, b.peer) {
		return "", nil, errSignature
	}
	return name, e.body, nil
}

func (b badge) permits(name string) bool { return strings.HasPrefix(name, b.peer) }

// denying is a voice whose policy denies a service.
type denying struct {
	voice
	denied string
}

func (d denying) permits(name string) bool { return name != d.denied && d.voice.permits(name) }

// world is a fleet in virtual time, with a broker that does as it likes.
type world struct {
	t    *testing.T
	rand *rand.Rand
	now  time.Time

	disk    []byte   // of the keeper
	keeper  *keeping // nil while it is down
	full    bool     // its disk
	servers []*server
	next    int // number of the next server
	wire    []parcel
	past    []parcel // all that was ever sent

	tickets []ticket
	secrets map[uint32][]byte // of each key that was ever sealed with
	counts  struct{ tickets, own, rotations, dropped, leftOut, late int }
}

// parcel is a message under way. The zero instance means the keeper.
type parcel struct {
	to    instance
	bytes []byte
}

// server is a place for a process, with a disk.
type server struct {
	name   string
	offset time.Duration // of its clock
	file   bool
	disk   []byte
	full   bool // the disk
	h      *holding
	ring   *fleetkey.Ring
}

type ticket struct {
	key    uint32
	sealed time.Time
	by     *server
	in     instance
	own    bool
}

const (
	modelLife  = 24 * time.Hour
	modelLease = time.Hour
)

func newWorld(t *testing.T, seed uint64, servers int) *world {
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_800_000_000, 0), secrets: map[uint32][]byte{}}
	w.startKeeper()
	for range servers {
		w.add()
	}
	return w
}

func (w *world) startKeeper() {
	k := &keeping{
		fleet: "model", identity: badge{"spiffe://d/role/operator/keeper", "spiffe://d/role/game-state/"}, life: modelLife, lease: modelLease,
		rotateEvery: -1, maxInstances: 100, members: map[instance]*member{}, random: fleetkey.Generate,
	}
	var err error
	if w.disk == nil {
		err = k.found(w.now)
	} else {
		err = k.restore(w.now, w.disk)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.keeper = k
	w.flush()
}

// flush does what Keeper.flush does.
func (w *world) flush() bool {
	k := w.keeper
	if k.dirty {
		if w.full {
			return false
		}
		b, err := k.state()
		if err != nil {
			w.t.Fatal(err)
		}
		w.disk = b
		k.written()
	}
	for _, n := range k.notes {
		if n.text == "a fleet key was dropped and erased" {
			w.counts.dropped++
		}
		if slices.Contains(n.args, any("it was silent until its lease was over")) {
			w.counts.leftOut++
		}
	}
	k.notes = nil
	if k.ahead != (version{}) {
		return false
	}
	if k.everyone {
		k.everyone = false
		for i := range k.members {
			w.grant(i)
		}
	}
	return true
}

func (w *world) grant(i instance) {
	b, err := w.keeper.grantTo(i)
	if err != nil {
		w.t.Fatal(err)
	}
	w.send(parcel{i, b})
}

func (w *world) send(p parcel) {
	w.wire = append(w.wire, p)
	if w.past = append(w.past, p); len(w.past) > 400 {
		w.past = w.past[200:]
	}
	for id, secret := range w.secrets {
		if bytes.Contains(p.bytes, secret) {
			w.t.Fatalf("key %x went over the broker in clear", id)
		}
	}
}

func (w *world) add() *server {
	s := &server{
		name: fmt.Sprintf("spiffe://d/role/game-state/%d", w.next%3), file: w.rand.IntN(3) > 0,
		offset: time.Duration(w.rand.Int64N(int64(2*time.Minute))) - time.Minute,
	}
	w.next++
	w.servers = append(w.servers, s)
	w.start(s, true)
	return s
}

func (w *world) clock(s *server) time.Time { return w.now.Add(s.offset) }

func (w *world) start(s *server, alone bool) {
	s.ring = new(fleetkey.Ring)
	s.h = &holding{fleet: "model", identity: badge{s.name, "spiffe://d/role/operator/"}, ring: s.ring, life: modelLife}
	if s.file {
		h := s.h
		h.save = func(now time.Time) error {
			if s.full {
				if w.rand.IntN(2) > 0 { // it can at least be removed
					s.disk = nil
					return nil
				}
				return errors.New("disk full")
			}
			b, err := h.encode(now)
			s.disk = b
			return err
		}
		if s.disk != nil {
			if err := h.decode(w.clock(s), s.disk, alone); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if err := s.h.begin(w.clock(s)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) announce(s *server, leaving bool) {
	if err := s.h.refresh(w.clock(s), false); err != nil {
		w.t.Fatal(err)
	}
	b, err := s.h.announce(w.clock(s), leaving)
	if err != nil {
		w.t.Fatal(err)
	}
	w.send(parcel{bytes: b})
}

// deliver hands over a message, and reports whether it was believed.
func (w *world) deliver(p parcel) bool {
	if p.to == (instance{}) {
		if w.keeper == nil {
			return false
		}
		i, answer, err := w.keeper.announced(w.now, p.bytes)
		w.keeper.advance(w.now)
		everyone := w.keeper.everyone
		switch saved := w.flush(); {
		case !answer:
		case saved && !everyone, w.keeper.dirty && w.keeper.renews(i):
			w.grant(i)
		}
		return err == nil
	}
	for _, s := range w.servers {
		if s.h != nil && s.h.instance == p.to {
			changed, err := s.h.granted(w.clock(s), p.bytes)
			if changed && w.rand.IntN(2) > 0 {
				w.announce(s, false)
			}
			return err == nil
		}
	}
	return false
}

// forge changes a message, which nobody may believe then.
func (w *world) forge() {
	if len(w.past) == 0 {
		return
	}
	p := w.past[w.rand.IntN(len(w.past))]
	p.bytes = slices.Clone(p.bytes)
	if w.rand.IntN(2) > 0 {
		p.bytes[w.rand.IntN(len(p.bytes))] ^= byte(1 + w.rand.IntN(255))
	} else { // signed by a service that may not
		e, err := parseEnvelope(p.bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		if p.bytes, err = (badge{id: "spiffe://d/role/leaderboard/1"}).sign(e.kind, e.body); err != nil {
			w.t.Fatal(err)
		}
	}
	if w.deliver(p) {
		w.t.Fatal("a forged message was believed")
	}
}

// seal makes a ticket on a server.
func (w *world) seal(s *server) {
	if err := s.h.refresh(w.clock(s), false); err != nil { // Run does so twice a second at the latest; the margins pay for that
		w.t.Fatal(err)
	}
	k, ok := s.ring.First()
	if !ok {
		w.t.Fatal("a server has no key to seal with")
	}
	if _, err := k.SealTicket(nil, make([]byte, 12), []byte("content"), nil); err != nil {
		w.t.Fatal(err)
	}
	w.tickets = append(w.tickets, ticket{k.ID(), w.now, s, s.h.instance, !s.h.sealing})
	w.counts.tickets++
	if !s.h.sealing {
		w.counts.own++
		return
	}
	if w.secrets[k.ID()] == nil {
		text, err := k.Text()
		if err != nil {
			w.t.Fatal(err)
		}
		w.secrets[k.ID()] = bytes.TrimSpace(text[9:])
	}
}

// check holds the fleet to its promise: "no ticket sealed by any server of the fleet is refused by
// another server of it within its life". A server without a lease is not in the fleet.
func (w *world) check() {
	w.tickets = slices.DeleteFunc(w.tickets, func(t ticket) bool { return w.now.Sub(t.sealed) > modelLife })
	seen := map[uint32]bool{}
	for _, t := range w.tickets {
		if t.own {
			if h := t.by.h; h != nil && h.instance == t.in && !has(t.by.ring, t.key) {
				w.t.Fatalf("%s refuses a ticket of its own key", t.by.name)
			}
			continue
		}
		if seen[t.key] {
			continue
		}
		seen[t.key] = true
		for _, s := range w.servers {
			if s.h == nil || s.h.refresh(w.clock(s), false) != nil || !s.h.sealing {
				continue
			}
			if !has(s.ring, t.key) {
				w.t.Fatalf("%s refuses a ticket of %s, made %v ago", s.name, t.by.name, w.now.Sub(t.sealed))
			}
		}
	}
}

// has reports whether a ring opens what the key of that id has sealed.
func has(r *fleetkey.Ring, id uint32) bool {
	k, ok := r.Find(id)
	_, err := k.Text() // fails for a key that was erased
	return ok && err == nil
}
