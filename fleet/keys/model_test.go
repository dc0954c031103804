package keys

import (
	"slices"
	"testing"
	"time"
)

// step does one thing that happens.
func (w *world) step() {
	switch n := w.rand.IntN(100); {
	case n < 20:
		w.now = w.now.Add(time.Duration(w.rand.Int64N(int64(4 * time.Minute))))
	case n < 21 && w.rand.IntN(4) == 0:
		w.now = w.now.Add(time.Duration(w.rand.Int64N(int64(2 * modelLease))))
	case n < 45:
		for range 4 {
			if s := w.pick(); s != nil {
				w.announce(s, false)
			}
		}
	case n < 75:
		for range 8 {
			w.move()
		}
	case n < 78: // a repetition
		if len(w.past) > 0 {
			w.deliver(w.past[w.rand.IntN(len(w.past))])
		}
	case n < 80:
		w.forge()
	case n < 90:
		if s := w.pick(); s != nil {
			w.seal(s)
		}
	case n < 93:
		w.turnKeeper()
	case n < 95:
		w.turnServer()
	case n < 98:
		if w.keeper != nil {
			w.keeper.advance(w.now)
			w.flush()
		}
	default:
		if w.keeper != nil && w.keeper.rotate(w.now) == nil {
			w.counts.rotations++
			w.flush()
		}
	}
	w.check()
}

// move delivers, loses or repeats a message under way, in any order.
func (w *world) move() {
	if len(w.wire) == 0 {
		return
	}
	i := w.rand.IntN(len(w.wire))
	p := w.wire[i]
	if w.rand.IntN(8) > 0 {
		w.wire = slices.Delete(w.wire, i, i+1)
	}
	if w.rand.IntN(8) > 0 {
		w.deliver(p)
	}
}

// turnKeeper kills the keeper or starts it, or fills its disk.
func (w *world) turnKeeper() {
	switch {
	case w.rand.IntN(3) == 0:
		w.full = !w.full
	case w.keeper == nil:
		w.full = false
		w.startKeeper()
	case w.rand.IntN(3) == 0:
		w.keeper = nil
	}
}

// turnServer kills a server, starts one, or has one take leave.
func (w *world) turnServer() {
	s := w.servers[w.rand.IntN(len(w.servers))]
	switch n := w.rand.IntN(10); {
	case n == 0 && len(w.servers) < 12:
		w.add()
	case n == 1: // a second process starts before the first has ended, and has no lock
		if s.h != nil && s.file && len(w.servers) < 12 {
			o := &server{name: s.name, offset: s.offset, file: true, disk: slices.Clone(s.disk)}
			w.servers = append(w.servers, o)
			w.start(o, false)
		}
	case n == 2:
		s.full = !s.full
	case s.h == nil:
		w.start(s, true)
	case n == 3 && !s.file: // it has stopped, and says so
		w.announce(s, true)
		s.h = nil
	case n < 6:
		s.h = nil
	}
}

// pick returns a server that runs.
func (w *world) pick() *server {
	s := w.servers[w.rand.IntN(len(w.servers))]
	if s.h == nil {
		return nil
	}
	return s
}

// heal has everybody run, and the broker carry.
func (w *world) heal() {
	w.full = false
	if w.keeper == nil {
		w.startKeeper()
	}
	for _, s := range w.servers {
		s.full = false
		if s.h == nil {
			w.start(s, true)
		}
	}
}

// calm lets time pass while the broker carries.
func (w *world) calm(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(15 * time.Minute) {
		for range 3 {
			for _, s := range w.servers {
				w.announce(s, false)
			}
			for len(w.wire) > 0 {
				p := w.wire[0]
				w.wire = w.wire[1:]
				w.deliver(p)
			}
			w.keeper.advance(w.now)
			w.flush()
			w.check()
		}
	}
}

// "No server MUST seal with a key that another instance of the fleet does not have yet." "A key MUST
// NOT be dropped before everything has expired that it has sealed on any instance." docs/fleet.md 18.2
//
// So no ticket that a server of the fleet has sealed is refused by another one within its life,
// whatever stops, is lost, repeated, reordered or forged; and a fleet that is well again finishes what
// it has begun.
func TestModel(t *testing.T) {
	t.Parallel()
	runs, steps := 8, 6000
	if testing.Short() {
		runs = 2
	}
	var all world
	for seed := range runs {
		w := newWorld(t, uint64(seed), 4)
		for range steps {
			w.step()
		}
		w.heal()
		w.calm(2 * modelLease)
		for _, s := range w.servers {
			if !s.h.sealing || s.h.has != w.keeper.ring {
				t.Fatalf("seed %d: a server that hears everything has %v, and the keeper %v", seed, s.h.has, w.keeper.ring)
			}
		}
		w.calm(modelLife + modelLease)
		if w.keeper.phase != PhaseSteady || len(w.keeper.keys) != 1 {
			t.Fatalf("seed %d: the rotation has not ended: %v with %d keys", seed, w.keeper.phase, len(w.keeper.keys))
		}
		if err := w.keeper.rotate(w.now); err != nil {
			t.Fatal(err)
		}
		w.flush()
		w.calm(time.Hour)
		if w.keeper.phase != PhaseDrain {
			t.Fatalf("seed %d: a rotation that nothing disturbs is at %v after an hour", seed, w.keeper.phase)
		}
		all.counts.tickets += w.counts.tickets
		all.counts.own += w.counts.own
		all.counts.rotations += w.counts.rotations
		all.counts.dropped += w.counts.dropped
		all.counts.leftOut += w.counts.leftOut
	}
	t.Logf("%d runs: %d tickets, %d of them by servers out of touch; %d rotations, %d keys dropped, %d instances left out",
		runs, all.counts.tickets, all.counts.own, all.counts.rotations, all.counts.dropped, all.counts.leftOut)
	if all.counts.dropped == 0 || all.counts.leftOut == 0 || all.counts.own == 0 || all.counts.own > all.counts.tickets/2 {
		t.Error("the model does not try what it is to try")
	}
}
