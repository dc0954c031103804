package lanes

import (
	"bytes"
	"testing"
	"time"
)

// Every mode keeps its promise under every impairment, in both directions at once.
//
// "each message whole or not at all, at most once" PROTOCOL.md 16.1
// "as unreliable, and never one older than the last delivered" PROTOCOL.md 16.1
// "each message exactly once, in any order, or given up by age" PROTOCOL.md 16.1
// "each message exactly once, in the order sent, or given up by age" PROTOCOL.md 16.1
// "A message MUST NOT be delivered twice" PROTOCOL.md 16.5
// "In mode 2 a message MUST NOT be delivered after one with a higher id" PROTOCOL.md 16.5
// "A sender MUST NOT change the bytes of a message or of a fragment under an id" PROTOCOL.md 16.9
func TestModes(t *testing.T) {
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for _, im := range impairments {
		for seed := range seeds {
			t.Run(im.name, func(t *testing.T) { tryModes(t, im.path, seed) })
		}
	}
}

func tryModes(t *testing.T, p path, seed uint64) {
	w := newWorld(t, seed)
	tab := table(t,
		Lane{Mode: Ordered, MaxMessage: 8000, Receipts: true, Insure: true},
		Lane{Mode: Sequenced, Priority: 1, MaxMessage: 8000, Receipts: true, Parity: int(seed)},
		Lane{Mode: Reliable, Priority: 1, Weight: 2, MaxMessage: 8000, Receipts: true, Insure: seed == 1},
		Lane{Mode: Unreliable, Priority: 2, MaxMessage: 8000, Receipts: true},
		Lane{Mode: Latest, Priority: 3},
	)
	a, b := w.pair(tab, p, p)
	end := 4 * time.Second
	var checks []func()
	for _, from := range []*node{a, b} {
		checks = append(checks, watchModes(t, w, from, from.peer, end))
	}
	w.run(60 * time.Second)
	for _, check := range checks {
		check()
	}
	for _, n := range []*node{a, b} {
		if !n.Idle() || n.flight.bytes != 0 || n.flight.eliciting != 0 {
			t.Errorf("%s: idle %v, %d bytes of %d datagrams under way", n.name, n.Idle(), n.flight.bytes, n.flight.eliciting)
		}
	}
}

func watchModes(t *testing.T, w *world, from, to *node, end time.Duration) (check func()) {
	type fate struct{ sent, came, yes, no int }
	var fates [4]map[uint64]*fate
	for i := range fates {
		fates[i] = map[uint64]*fate{}
	}
	bodies := [4]map[uint64][]byte{{}, {}, {}, {}}
	values, seen := map[uint32][]byte{}, map[uint32][]byte{}
	from.tick(16*time.Millisecond, end, func() {
		for lane := range 4 {
			if w.random.IntN(3) == 0 {
				size := w.random.IntN(120)
				if w.random.IntN(10) == 0 {
					size = w.random.IntN(8001)
				}
				m := msg(lane, w.random.Uint64(), size)
				id, err := from.Send(w.now, lane, m, from)
				if err != nil {
					if err != ErrFull || lane == 1 || lane == 3 {
						t.Fatal(lane, err)
					}
					continue
				}
				fates[lane][id] = &fate{sent: 1}
				bodies[lane][id] = m
			}
		}
		key := uint32(w.random.IntN(20))
		v := msg(4, w.random.Uint64(), w.random.IntN(50))
		if err := from.SendLatest(4, key, v); err != nil {
			t.Fatal(err)
		}
		values[key] = v
	})
	var last [4]uint64
	to.message = func(lane int, id uint64, b []byte) {
		f := fates[lane][id]
		if f == nil || !bytes.Equal(b, bodies[lane][id]) {
			t.Fatalf("lane %d: message %d was never sent like this", lane, id)
		}
		if f.came++; f.came > 1 {
			t.Fatalf("lane %d: message %d came twice", lane, id)
		}
		if lane == 0 && id != last[0]+1 || lane == 1 && id <= last[1] {
			t.Fatalf("lane %d: message %d after %d", lane, id, last[lane])
		}
		last[lane] = id
	}
	to.latest = func(_ int, key uint32, b []byte) { seen[key] = bytes.Clone(b) }
	from.receipt = func(lane int, id uint64, arrived bool) {
		f := fates[lane][id]
		if f == nil {
			f = &fate{} // given up for room, within Send
			fates[lane][id] = f
		}
		if arrived {
			if f.yes++; f.came == 0 && lane != 0 { // on an ordered lane the machine may hold it
				t.Fatalf("lane %d: receipt for message %d, which has not come", lane, id)
			}
		} else {
			f.no++
		}
		if f.yes+f.no > 1 {
			t.Fatalf("lane %d: message %d has two receipts", lane, id)
		}
	}
	return func() {
		for lane, fs := range fates {
			came := 0
			for id, f := range fs {
				came += f.came
				if f.yes+f.no != 1 {
					t.Errorf("lane %d: message %d has no receipt", lane, id)
				}
				if (lane == 0 || lane == 2) && (f.came != 1 || f.yes != 1) {
					t.Errorf("lane %d: message %d: %+v", lane, id, *f)
				}
			}
			if came == 0 {
				t.Errorf("lane %d: nothing came", lane)
			}
		}
		for key, v := range values {
			if !bytes.Equal(seen[key], v) {
				t.Errorf("key %d is %x, want %x", key, seen[key], v)
			}
		}
	}
}
