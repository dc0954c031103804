package fleetkey

import (
	"errors"
	"slices"
	"sync"
	"testing"
)

// "The error matches ErrKey, and then nothing has changed."
func TestRingSet(t *testing.T) {
	a, b := newTestKey(t, 1), newTestKey(t, 2)
	var many []Key
	for n := range byte(maxKeys + 1) {
		many = append(many, newTestKey(t, n+1))
	}
	newRing(t, many[:maxKeys]...)
	ring := newRing(t, a)
	for name, keys := range map[string][]Key{
		"empty": {{}}, "empty behind": {a, {}}, "same": {a, b, a}, "too many": many,
	} {
		if err := ring.Set(keys...); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := NewRing(keys...); !errors.Is(err, ErrKey) {
			t.Errorf("new, %s: %v", name, err)
		}
	}
	if err := ring.Rotate(Key{}); !errors.Is(err, ErrKey) {
		t.Errorf("rotate to nothing: %v", err)
	}
	if err := ring.Rotate(a); !errors.Is(err, ErrKey) {
		t.Errorf("rotate to itself: %v", err)
	}
	if k, ok := ring.Find(a.ID()); !ok || k.ID() != a.ID() || len(ring.all()) != 1 {
		t.Error("the ring has changed")
	}
	for _, off := range []*Ring{nil, {}, newRing(t)} {
		_, first := off.First()
		_, found := off.Find(a.ID())
		if off.Enabled() || first || found || off.IDs() != nil {
			t.Error("a ring without keys has one")
		}
	}
	fresh := new(Ring)
	if err := fresh.Rotate(a); err != nil || !fresh.Enabled() {
		t.Errorf("the first key: %v", err)
	}
	b = newTestKey(t, 2)
	if err := fresh.Rotate(b); err != nil || !slices.Equal(fresh.IDs(), []uint32{b.ID(), a.ID()}) {
		t.Errorf("ids %v, want those of b, which seals, and a: %v", fresh.IDs(), err)
	}
}

// seal is a ticket of a server that has ring: key id, and what the key makes of it.
func seal(ring *Ring) (id uint32, sealed []byte, err error) {
	k, _ := ring.First()
	sealed, err = k.SealTicket(nil, counting(0x60, 12), []byte("content"), nil)
	return k.ID(), sealed, err
}

func open(ring *Ring, id uint32, sealed []byte) error {
	k, _ := ring.Find(id)
	_, err := k.OpenTicket(nil, counting(0x60, 12), sealed, nil)
	return err
}

// Two servers change keys one after the other, and no ticket is lost between them: "if each step is done everywhere
// before the next begins".
func TestRingRotate(t *testing.T) {
	a, b, c := newTestKey(t, 1), newTestKey(t, 2), newTestKey(t, 3)
	servers := []*Ring{newRing(t, a), newRing(t, a)}
	exchange := func(step string, want ...Key) {
		t.Helper()
		for i, from := range servers {
			id, sealed, err := seal(from)
			if err == nil {
				err = open(servers[1-i], id, sealed)
			}
			if err != nil || id != want[i].ID() {
				t.Errorf("%s: from server %d: key %08x, %v", step, i, id, err)
			}
		}
	}
	_, before, err := seal(servers[0])
	if err != nil {
		t.Fatal(err)
	}
	exchange("begin", a, a)
	for _, s := range servers {
		if err := s.Set(a, b); err != nil {
			t.Fatal(err)
		}
		exchange("told the next key", a, a)
	}
	for i, s := range servers {
		if err := s.Rotate(b); err != nil {
			t.Fatal(err)
		}
		exchange("rotated", b, []Key{a, b}[i])
		if err := open(s, a.ID(), before); err != nil {
			t.Errorf("a ticket from before the change: %v", err)
		}
	}
	for _, s := range servers {
		if err := s.Set(b); err != nil {
			t.Fatal(err)
		}
		exchange("forgotten", b, b)
		if err := open(s, a.ID(), before); !errors.Is(err, ErrKey) {
			t.Errorf("a ticket under a retired key: %v", err)
		}
	}
	for _, next := range []Key{c, a} { // the second change forgets what the first had kept
		if err := servers[0].Rotate(next); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := servers[0].Find(b.ID()); ok || len(servers[0].all()) != 2 {
		t.Errorf("%d keys", len(servers[0].all()))
	}
}

// Keys change, and one is wiped, while others seal and open; run with -race.
func TestRingConcurrency(t *testing.T) {
	old := newTestKey(t, 1)
	ring := newRing(t, old)
	var wg sync.WaitGroup
	for n := range byte(4) {
		wg.Go(func() {
			for range 50 {
				id, sealed, err := seal(ring)
				if err == nil {
					err = open(ring, id, sealed)
				}
				if err != nil && !errors.Is(err, ErrKey) {
					t.Error(err)
				}
				_, _ = old.Text()
				_, _ = old.Cipher(nil, "purpose")
			}
		})
		wg.Go(func() {
			if err := ring.Rotate(newTestKey(t, 10+n)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(old.Wipe)
	wg.Wait()
	if n := len(ring.all()); n != 2 {
		t.Errorf("%d keys", n)
	}
}
