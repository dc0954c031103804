package lanes

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// The lanes of a server outlive its process: each message comes exactly once, in order, both ways,
// and none is reported lost, whether the client resumes or has not noticed.
//
// "A server MAY carry lanes to its next process in a snapshot (section 8.4), with the connection
// under them. The client is told nothing: the generation stays, and so does the client's base. The
// server's base is one above the highest number that it had accepted, and what was under way from
// it counts as lost." PROTOCOL.md 16.11
func TestRestart(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		w := newWorld(t, seed)
		p := path{latency: 30 * time.Millisecond, loss: 0.1, jitter: 20 * time.Millisecond}
		a, b := w.pair(table(t,
			Lane{Mode: Ordered, MaxMessage: 9000, Receipts: true}, Lane{Mode: Reliable, MaxMessage: 9000, Receipts: true, MaxAge: 20 * time.Second},
			Lane{Mode: Latest}, Lane{Mode: Sequenced, MaxMessage: 9000}, Lane{Mode: Unreliable, MaxMessage: 9000},
		), p, p)
		for round := range 3 {
			w.at(seconds(0.5+float64(round)/2), func() { a.restart(t, seed%2 == 0) })
		}
		var checks []func()
		for _, from := range []*node{a, b} {
			checks = append(checks, watchRestart(t, w, from, from.peer))
		}
		w.run(30 * time.Second)
		for _, check := range checks {
			check()
		}
	}
}

// restart replaces n's endpoint by one that was made from its snapshot, as another process would.
func (n *node) restart(t *testing.T, noticed bool) {
	b, ok := n.AppendSnapshot(nil, n.w.now, 1<<20, n)
	if !ok {
		t.Fatal("too long")
	}
	c := n.config
	c.Base = max(n.arrivals.got.high+1, n.arrivals.base)
	if noticed {
		n.next += 1000 // the next process begins above what the last one may have used
		c.Base = n.peer.next
	}
	c.Next = n.next
	e, err := Restore(c, n.w.now, b)
	if err != nil {
		t.Fatal(err)
	}
	n.Close(nil)
	n.Endpoint = e
	checkInvariants(t, &lab{Endpoint: e})
	if noticed {
		n.peer.Resume(n.next, n.peer.next, n.peer)
	}
}

func watchRestart(t *testing.T, w *world, from, to *node) (check func()) {
	sent := [5]map[uint64][]byte{{}, {}, {}, {}, {}}
	came := [5]map[uint64]bool{{}, {}, {}, {}, {}}
	var last [5]uint64
	values, seen := map[uint32]string{}, map[uint32]string{}
	from.tick(16*time.Millisecond, 3*time.Second, func() {
		for _, lane := range []int{0, 1, 3, 4} {
			size := w.random.IntN(200)
			if w.random.IntN(8) == 0 {
				size = w.random.IntN(9001)
			}
			m := msg(lane, w.random.Uint64(), size)
			if id, err := from.Send(w.now, lane, m, from); err == nil {
				sent[lane][id] = m
			}
		}
		key := uint32(w.random.IntN(30))
		v := msg(2, w.random.Uint64(), w.random.IntN(30))
		if err := from.SendLatest(2, key, v); err != nil {
			t.Fatal(err)
		}
		values[key] = string(v)
	})
	from.receipt = func(lane int, id uint64, arrived bool) {
		if !arrived {
			t.Errorf("lane %d: message %d is reported lost", lane, id)
		}
	}
	to.latest = func(_ int, key uint32, b []byte) { seen[key] = string(b) }
	to.message = func(lane int, id uint64, b []byte) {
		if came[lane][id] || !bytes.Equal(b, sent[lane][id]) {
			t.Fatalf("lane %d: message %d came again, or is another", lane, id)
		}
		if lane == 0 && id != last[0]+1 || lane == 3 && id < last[3] {
			t.Fatalf("lane %d: message %d after %d", lane, id, last[lane])
		}
		came[lane][id], last[lane] = true, id
	}
	return func() {
		for lane := range 2 {
			if len(came[lane]) != len(sent[lane]) {
				t.Errorf("lane %d: %d of %d came", lane, len(came[lane]), len(sent[lane]))
			}
		}
		if len(came[3]) == 0 || len(came[4]) == 0 {
			t.Error("nothing came")
		}
		for key, v := range values {
			if seen[key] != v {
				t.Errorf("key %d: %x, want %x", key, seen[key], v)
			}
		}
	}
}

// What does not fit is reported lost: first what has not begun, then everything.
func TestSnapshotLimit(t *testing.T) {
	for _, limit := range []int{1 << 20, 64 << 10, 20 << 10, 1000} {
		l := newLab(t, Lane{Mode: Ordered, MaxMessage: 5000, Receipts: true})
		for range 40 {
			if _, err := l.Send(l.now, 0, make([]byte, 5000), l); err != nil {
				t.Fatal(err)
			}
		}
		l.flush()
		begun := 0
		for m := l.senders[0].head; m != nil && m.begun; m = m.next {
			begun++
		}
		b, ok := l.AppendSnapshot([]byte("before"), l.now, limit, l)
		if !bytes.HasPrefix(b, []byte("before")) || len(b) > limit+6 || ok != (limit > begun*5000) {
			t.Fatalf("limit %d: %d bytes, %v", limit, len(b), ok)
		}
		if !ok {
			continue
		}
		e, err := Restore(Config{Table: l.table, Base: 1, Next: l.next, Random: l.random}, l.now, b[6:])
		if err != nil {
			t.Fatal(err)
		}
		kept, _ := e.Pending(0)
		if kept+len(l.receipts) != 40 || limit == 1<<20 && kept != 40 || limit < 200_000 && kept*5100 > limit || kept < begun {
			t.Errorf("limit %d: %d kept, %d lost", limit, kept, len(l.receipts))
		}
		if id, err := e.Send(l.now, 0, nil, nil); err != nil || id != uint64(kept+1) {
			t.Errorf("limit %d: the next id is %d, %v", limit, id, err)
		}
	}
}

// The next process delivers what a panic of the user's has left of an ordered lane: the datagram amid
// which there was one comes again.
func TestRestartAfterPanic(t *testing.T) {
	first := whole(1, "first")
	first.Total = 5
	skip := wire.Frame{Type: wire.FrameSkip, ID: 2, Bytes: 5}
	for _, f := range []wire.Frame{first, skip} {
		l := newLab(t, Lane{Mode: Ordered})
		l.frame(whole(2, "second"))
		l.frame(whole(3, "third"))
		body := f.AppendTo(nil)
		func() {
			defer func() { _ = recover() }()
			l.Receive(l.now, l.peerSeq+1, l.next-1, body, panics{l})
		}()
		b, _ := l.AppendSnapshot(nil, l.now, 1000, l)
		e, err := Restore(Config{Table: l.table, Base: 1, Next: l.next, Random: l.random}, l.now, b)
		if err != nil {
			t.Fatal(err)
		}
		l.Endpoint = e
		l.take(body)
		if n := len(l.messages); n < 2 || l.messages[n-1] != "third" || l.messages[n-2] != "second" {
			t.Errorf("%v: %q", f.Type, l.messages)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	l := newLab(t, Lane{Mode: Ordered})
	l.send("x")
	b, _ := l.AppendSnapshot(nil, l.now, 1000, l)
	other := table(t, Lane{Mode: Reliable})
	for name, c := range map[string]struct {
		t *Table
		b []byte
	}{
		"empty": {l.table, nil}, "cut off": {l.table, b[:len(b)-1]}, "longer": {l.table, append(bytes.Clone(b), 0)},
		"another table": {other, b}, "more lanes": {table(t, Lane{Mode: Ordered}, Lane{Mode: Ordered}), b},
	} {
		if _, err := Restore(Config{Table: c.t, Random: l.random}, 0, c.b); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRestore takes any bytes for a snapshot; what it restores keeps its bounds, and can go on.
func FuzzRestore(f *testing.F) {
	tab := func(t testing.TB) *Table {
		return table(t, Lane{Mode: Ordered, MaxMessage: 4000}, Lane{Mode: Sequenced, MaxMessage: 4000},
			Lane{Mode: Reliable, MaxMessage: 4000, MaxAge: time.Second}, Lane{Mode: Latest})
	}
	w := newWorld(f, 1)
	p := path{latency: 30 * time.Millisecond, loss: 0.3}
	a, b := w.pair(tab(f), p, p)
	for _, n := range []*node{a, b} {
		n.tick(16*time.Millisecond, time.Second, func() {
			_, _ = n.Send(w.now, w.random.IntN(3), msg(0, 1, w.random.IntN(3000)), n)
			_ = n.SendLatest(3, uint32(w.random.IntN(9)), msg(0, 1, 9))
		})
	}
	w.run(time.Second)
	for _, n := range []*node{a, b} {
		s, _ := n.AppendSnapshot(nil, w.now, 1<<20, n)
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		c := Config{Table: tab(t), Base: 1, Next: 1, Random: func() uint64 { return 1 }}
		e, err := Restore(c, time.Second, in)
		if err != nil {
			return
		}
		l := &lab{t: t, now: time.Second, next: 1, Endpoint: e, receipts: map[uint64]bool{}, values: map[uint32]string{}}
		checkInvariants(t, l)
		again, ok := e.AppendSnapshot(nil, l.now, 1<<30, l)
		if !ok {
			t.Fatal("too long")
		}
		if e, err = Restore(c, l.now, again); err != nil {
			t.Fatal(err)
		}
		l.Endpoint = e
		for range 5 {
			l.later(20 * time.Millisecond)
			_, _ = l.Send(l.now, 0, []byte("x"), l)
			_, _ = l.Send(l.now, 2, []byte("x"), l)
			l.flush()
			l.frame(whole(3, "y"), whole(4, "z"))
			checkInvariants(t, l)
		}
	})
}
