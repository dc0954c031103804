package keys

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// carry delivers all that is under way.
func (w *world) carry() {
	for len(w.wire) > 0 {
		p := w.wire[0]
		w.wire = w.wire[1:]
		w.deliver(p)
	}
}

// round has each server announce itself, and the broker carry.
func (w *world) round() {
	for range 3 {
		for _, s := range w.servers {
			if s.h != nil {
				w.announce(s, false)
			}
		}
		w.carry()
	}
	w.check()
}

// announced hands a message to the keeper and returns why it is refused.
func (w *world) announced(b []byte) error {
	_, _, err := w.keeper.announced(w.now, b)
	return err
}

// "The keeper MUST refuse an announcement that was made more than two minutes ago or ahead, whose
// counter is not above the last one of that instance, or whose public key is not the one that the
// instance began with." docs/fleet.md 18.1
func TestAnnouncementsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1)
	s := w.servers[0]
	s.offset = time.Minute // "clock apart by a minute": nothing comes of it
	w.round()
	if !s.h.sealing {
		t.Fatal("a server whose clock is a minute ahead gets no keys")
	}
	var newest []byte
	for _, p := range w.past {
		if p.to == (instance{}) {
			newest = p.bytes
		}
	}
	if err := w.announced(newest); !errors.Is(err, errReplay) {
		t.Errorf("a repetition: %v", err)
	}

	base := announcement{fleet: "model", instance: instance{1}, counter: 1, made: w.now, public: [32]byte{9}}
	sign := func(change func(*announcement)) []byte {
		a := base
		change(&a)
		body, _ := a.append(nil)
		b, _ := badge{id: "spiffe://d/role/game-state/9"}.sign(kindAnnouncement, body)
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"two minutes old", sign(func(a *announcement) { a.made = w.now.Add(-Skew) }), nil},
		{"older than that", sign(func(a *announcement) { a.made = w.now.Add(-Skew - time.Millisecond); a.counter = 2 }), errClock},
		{"made in the future", sign(func(a *announcement) { a.made = w.now.Add(Skew + time.Millisecond); a.counter = 2 }), errClock},
		{"another fleet's", sign(func(a *announcement) { a.fleet = "other" }), errFleet},
		{"an epoch behind which there is none", sign(func(a *announcement) { a.ring, a.counter = version{1<<64 - 1, 1}, 2 }), errForm},
		{"counter 0", sign(func(a *announcement) { a.counter = 0 }), errForm},
		{"another key under the number", sign(func(a *announcement) { a.public[0]++; a.counter = 2 }), errIdentity},
		{"the number of another service", sign(func(a *announcement) { a.instance, a.counter = s.h.instance, 1000 }), errIdentity},
		{"nothing", nil, errForm},
	} {
		if err := w.announced(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	w.keeper.maxInstances = 2
	if err := w.announced(sign(func(a *announcement) { a.instance[1]++ })); !errors.Is(err, errFull) {
		t.Errorf("one instance too many: %v", err)
	}
}

// "... whose counter is not above the last one of that instance": also of one that has left, was
// replaced or was left out. A broker that repeats what it said would have each step wait for a lease.
func TestGoneStaysGone(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(w *world, s *server){
		"it has left": func(w *world, s *server) {
			w.announce(s, true)
			w.carry()
		},
		"a new process has its place": func(w *world, s *server) {
			w.start(s, true)
			w.round()
		},
		"an operator said so": func(w *world, s *server) { w.keeper.remove(w.now, s.h.instance, "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, 2)
			s := w.servers[0]
			s.file = true
			w.start(s, true)
			w.round()
			was := s.h.instance
			var said [][]byte
			for _, p := range w.past {
				if p.to == (instance{}) {
					said = append(said, p.bytes)
				}
			}
			w.announce(s, false)
			held := w.wire[len(w.wire)-1].bytes // the broker holds its last word back
			w.wire = w.wire[:len(w.wire)-1]
			leave(w, s)
			if w.keeper.members[was] != nil {
				t.Fatal("it is still there")
			}
			if name != "an operator said so" { // then it runs, and what it says anew counts
				said = append(said, held)
			}
			for _, b := range said {
				w.announced(b) //nolint:errcheck // what comes of it counts
			}
			if w.keeper.members[was] != nil {
				t.Error("a repetition has brought it back")
			}
			w.now = w.now.Add(3 * Skew)
			w.keeper.advance(w.now)
			if len(w.keeper.gone) != 0 {
				t.Errorf("%d are remembered for ever", len(w.keeper.gone))
			}
		})
	}
}

// "The keeper MUST NOT hand out another key to a service that its policy does not let have keys any more, whatever it has
// been given before." docs/fleet.md 18.4
func TestDeniedGetsNoKey(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]func(w *world) error{
		"a rotation":   func(w *world) error { return w.keeper.rotate(w.now) },
		"an emergency": func(w *world) error { _, err := w.keeper.emergency(w.now); return err },
		"time":         func(w *world) error { w.keeper.advance(w.now); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, 2)
			w.round()
			denied := w.servers[0]
			if w.keeper.members[denied.h.instance] == nil {
				t.Fatal("it has no keys that others could get")
			}
			w.keeper.identity = denying{w.keeper.identity, denied.name}
			if err := step(w); err != nil {
				t.Fatal(err)
			}
			if w.flush(); w.keeper.members[denied.h.instance] != nil || w.keeper.members[w.servers[1].h.instance] == nil {
				t.Errorf("%d instances are told of what comes", len(w.keeper.members))
			}
			for _, p := range w.wire {
				if p.to == denied.h.instance {
					t.Error("it is sent the ring")
				}
			}
		})
	}
}

// "Keys MUST be sealed to that public key by HPKE (RFC 9180), bound to fleet, instance, announcement,
// epoch, revision, lease and the SPIFFE id of the recipient." docs/fleet.md 18.1
func TestGrantsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2)
	for _, s := range w.servers {
		w.announce(s, false)
	}
	w.carry()
	var mine []byte
	for _, p := range w.past {
		if p.to == w.servers[0].h.instance {
			mine = p.bytes
			break
		}
	}
	if _, err := w.servers[1].h.granted(w.now, mine); !errors.Is(err, errOther) {
		t.Errorf("a grant for another instance: %v", err)
	}
	w.round()
	if err := w.keeper.rotate(w.now); err != nil {
		t.Fatal(err)
	}
	w.flush()
	w.round()
	if _, err := w.servers[0].h.granted(w.now, mine); !errors.Is(err, errStale) {
		t.Errorf("an old grant: %v", err)
	}
	// The process is another one after a restart, so what was sealed to it before opens no more.
	w.start(w.servers[0], true)
	if _, err := w.servers[0].h.granted(w.now, mine); !errors.Is(err, errOther) {
		t.Errorf("a grant for the process before: %v", err)
	}
	e, err := parseEnvelope(mine)
	if err != nil {
		t.Fatal(err)
	}
	g, err := parseGrant(e.body)
	if err != nil {
		t.Fatal(err)
	}
	// The keeper signs it anew for this process: the seal is bound to the other one.
	h := w.servers[0].h
	w.announce(w.servers[0], false)
	g.instance, g.counter = h.instance, 1
	g.ring = version{h.has.epoch, h.has.revision + 9}
	body, _ := g.append(nil)
	b, _ := badge{id: "spiffe://d/role/operator/keeper"}.sign(kindGrant, body)
	if _, err := h.granted(w.now, b); !errors.Is(err, errSealed) {
		t.Errorf("a ring sealed to another process: %v", err)
	}
}

// "A step MUST wait for an instance that is silent until its lease is certainly over. Then the
// instance is left out, and gets the ring of the day when it is heard of again." docs/fleet.md 18.3
func TestSilentServerHoldsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3)
	w.round()
	if err := w.keeper.rotate(w.now); err != nil {
		t.Fatal(err)
	}
	w.flush()
	silent := w.servers[2]
	silent.h = nil
	heard := w.now
	for w.now.Sub(heard) <= modelLease {
		w.round()
		w.keeper.advance(w.now)
		if w.keeper.phase != PhaseSpread {
			t.Fatalf("%v after a server fell silent the rotation is at %v", w.now.Sub(heard), w.keeper.phase)
		}
		w.now = w.now.Add(5 * time.Minute)
	}
	w.round()
	w.keeper.advance(w.now)
	w.flush()
	w.round()
	w.round()
	if w.keeper.phase != PhaseDrain {
		t.Fatalf("after the lease the rotation is at %v", w.keeper.phase)
	}
	w.start(silent, true) // late, and with the ring of before in its file, if it has one
	w.round()
	if !silent.h.sealing || silent.h.has != w.keeper.ring {
		t.Error("a server that comes late does not catch up")
	}
}

// "A holder MUST NOT say that it has a ring before that ring is on its disk, if it keeps one there."
// docs/fleet.md 18.2
func TestFullDiskOfAServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2)
	s := w.servers[0]
	if !s.file {
		s.file = true
		w.start(s, true)
	}
	s.h.save = func(time.Time) error { return errors.New("read-only file system") }
	w.round()
	if s.h.has == (version{}) || s.h.saved != (version{}) {
		t.Fatalf("it has %v and says %v", s.h.has, s.h.saved)
	}
	if err := w.keeper.rotate(w.now); err != nil {
		t.Fatal(err)
	}
	w.flush()
	w.round()
	w.keeper.advance(w.now)
	if w.keeper.phase != PhaseSpread {
		t.Errorf("the rotation is at %v", w.keeper.phase)
	}
	if !s.h.sealing {
		t.Error("the server is out of the fleet meanwhile")
	}
}

// "The keeper MUST have an instance on its disk before it gives it a key, and a change before it tells
// anybody." docs/fleet.md 18.2
func TestFullDiskOfTheKeeper(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1)
	w.full = true
	w.round()
	if w.servers[0].h.sealing {
		t.Fatal("an instance that is not on disk was given keys")
	}
	w.full = false
	w.round()
	if !w.servers[0].h.sealing {
		t.Fatal("it was not given any later")
	}
	had := w.servers[0].h.has
	w.full = true
	if err := w.keeper.rotate(w.now); err != nil {
		t.Fatal(err)
	}
	w.flush()
	w.round()
	if w.servers[0].h.has != had {
		t.Error("a key that is not on disk was handed out")
	}
	w.keeper = nil
	w.startKeeper() // it has forgotten what nobody was told
	w.full = false
	w.round()
	if w.keeper.phase != PhaseSteady || w.servers[0].h.has != had {
		t.Errorf("after a restart: %v, %v", w.keeper.phase, w.servers[0].h.has)
	}
}

// "nobody is told of the change or added; leases go on" docs/fleet.md 18.5: for as long as the disk is full, until an
// emergency drops the keys.
func TestLeasesOnFullDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1)
	w.round()
	old, had := w.servers[0], w.servers[0].h.has
	w.full = true
	added := w.add()
	if err := w.keeper.rotate(w.now); err != nil {
		t.Fatal(err)
	}
	later := func() {
		for range 8 {
			w.now = w.now.Add(modelLease / 4)
			w.round()
		}
	}
	if later(); !old.h.sealing || old.h.has != had || added.h.sealing {
		t.Errorf("two hours later: with keys %v, of %v, want %v; one that was added: %v", old.h.sealing, old.h.has, had, added.h.sealing)
	}
	if _, err := w.keeper.emergency(w.now); err != nil {
		t.Fatal(err)
	}
	if later(); old.h.sealing {
		t.Error("a leaked key seals two hours after the emergency")
	}
	w.full = false
	if w.round(); !old.h.sealing || old.h.has != w.keeper.ring || !added.h.sealing {
		t.Errorf("with room on the disk: %v, %v", old.h.sealing, added.h.sealing)
	}
}

// A keeper that restarts goes on where it was, at each step.
func TestKeeperRestarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3)
	w.round()
	if err := w.keeper.rotate(w.now); err != nil {
		t.Fatal(err)
	}
	w.flush()
	var phases []Phase
	for range 200 {
		w.keeper = nil
		w.startKeeper()
		if n := len(phases); n == 0 || phases[n-1] != w.keeper.phase {
			phases = append(phases, w.keeper.phase)
		}
		for _, s := range w.servers {
			w.announce(s, false)
		}
		for range len(w.wire) {
			p := w.wire[0]
			w.wire = w.wire[1:]
			w.deliver(p)
			w.keeper = nil
			w.startKeeper()
		}
		w.round()
		w.now = w.now.Add(10 * time.Minute)
	}
	if want := []Phase{PhaseSpread, PhaseDrain, PhaseSteady}; !slices.Equal(phases, want) && !slices.Equal(phases, slices.Insert(want, 1, PhaseSwitch)) {
		t.Errorf("phases: %v", phases)
	}
}

// "When a key has leaked, all keys are dropped and erased at once, and a new epoch begins with one
// fresh key." docs/fleet.md 18.4
func TestEmergency(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2)
	w.round()
	leaked, _ := w.servers[0].ring.First()
	loss, err := w.keeper.emergency(w.now)
	if err != nil {
		t.Fatal(err)
	}
	if len(loss.Dropped) != 1 || loss.Dropped[0] != leaked.ID() || loss.Instances != 2 || !strings.Contains(loss.String(), "2 servers") {
		t.Errorf("%+v", loss)
	}
	w.flush()
	w.round()
	for _, s := range w.servers {
		if k, _ := s.ring.First(); has(s.ring, leaked.ID()) || k.ID() != loss.Sealing || !s.h.sealing {
			t.Error("a server still opens with the leaked key, or does not seal with the new one")
		}
	}
	if _, err := leaked.Text(); err == nil {
		t.Error("the leaked key was not erased")
	}
	// An old grant, of before, brings nothing back.
	for _, p := range slices.Clone(w.past) {
		w.deliver(p)
	}
	if has(w.servers[0].ring, leaked.ID()) {
		t.Error("a repetition brings the leaked key back")
	}
}

// "A keeper that hears of a ring which it has not made is behind: its store was lost or rolled back,
// or there is another keeper. It MUST NOT hand out anything then." docs/fleet.md 18.4
func TestStoreRolledBack(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		w := newWorld(t, 1, 2)
		w.round()
		old := w.disk
		for range 2 { // two rotations, of which the old store knows nothing
			if err := w.keeper.rotate(w.now); err != nil {
				t.Fatal(err)
			}
			w.flush()
			w.round()
			w.calm(modelLife + time.Hour)
		}
		had := w.servers[0].h.has
		if w.disk = old; lost {
			w.disk = nil
		}
		w.keeper = nil
		w.startKeeper()
		w.round()
		fresh := w.add()
		w.round()
		if fresh.h.sealing || w.servers[0].h.has != had || w.keeper.ahead != had {
			t.Fatalf("lost %v: a keeper that is behind hands out keys", lost)
		}
		if err := w.keeper.rotate(w.now); !errors.Is(err, ErrBehind) {
			t.Errorf("lost %v: rotate: %v", lost, err)
		}
		w.tickets = nil
		if _, err := w.keeper.emergency(w.now); err != nil {
			t.Fatal(err)
		}
		w.flush()
		w.round()
		for _, s := range w.servers {
			if !s.h.sealing || s.h.has != w.keeper.ring {
				t.Errorf("lost %v: a server does not follow after the emergency", lost)
			}
		}
	}
}

// A rotation while a former key still opens, and no more keys than a ring has.
func TestRotationsInARow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2)
	w.round()
	n := 0
	for ; n < 20; n++ {
		if err := w.keeper.rotate(w.now); err != nil {
			if !errors.Is(err, ErrBusy) {
				t.Fatal(err)
			}
			break
		}
		if err := w.keeper.rotate(w.now); !errors.Is(err, ErrBusy) {
			t.Fatalf("two rotations at once: %v", err)
		}
		w.flush()
		w.seal(w.servers[0])
		w.round()
		w.seal(w.servers[1])
	}
	if n != maxKeys-1 {
		t.Errorf("%d rotations in a row", n)
	}
	w.calm(modelLife + time.Hour)
	if len(w.keeper.keys) != 1 || len(w.servers[0].h.filled) != 1 {
		t.Errorf("%d keys are left, and %d in a ring", len(w.keeper.keys), len(w.servers[0].h.filled))
	}
}
