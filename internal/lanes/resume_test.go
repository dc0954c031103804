package lanes

import (
	"testing"
	"time"
)

// Messages outlive a change of connection: each comes exactly once, in order, and none is reported
// lost; datagrams of the old connection that come late do no harm.
//
// "What was under way at a resumption counts as lost, without a reason to slow down: it is sent
// again, and recognised where it had arrived." PROTOCOL.md 16.11
func TestResume(t *testing.T) {
	for _, blackout := range []time.Duration{0, 10 * time.Second} {
		w := newWorld(t, 9)
		dark := func(now time.Duration) bool { return now > time.Second && now < time.Second+blackout }
		p := path{latency: 30 * time.Millisecond, loss: 0.05, down: dark}
		a, b := w.pair(table(t, Lane{Mode: Ordered, MaxMessage: 5000, Receipts: true}, Lane{Mode: Unreliable, Receipts: true}), p, p)
		end := 3*time.Second + blackout
		counts := map[*node]*[3]uint64{}
		for _, n := range []*node{a, b} {
			c := &[3]uint64{}
			counts[n] = c
			n.tick(16*time.Millisecond, end, func() {
				n.Send(w.now, 0, msg(0, 1, w.random.IntN(2000)), n)
				n.Send(w.now, 1, msg(0, 1, 50), n)
			})
			n.message = func(lane int, id uint64, _ []byte) {
				if lane != 0 {
					return
				}
				if c[0]++; id != c[0] {
					t.Fatalf("message %d, want %d", id, c[0])
				}
			}
			n.receipt = func(lane int, id uint64, arrived bool) {
				if lane != 0 {
					return
				}
				if c[1]++; !arrived {
					t.Errorf("message %d is reported lost", id)
				}
			}
		}
		w.at(time.Second+blackout, func() {
			nextA, nextB := a.next, b.next
			a.Resume(nextB, nextA, a)
			b.Resume(nextA, nextB, b)
			if a.flight.bytes != 0 || a.flight.packets.len() != 0 {
				t.Error("something is still under way")
			}
			if s, _ := a.RTT(); s != 0 {
				t.Error("the RTT of another path is kept")
			}
		})
		w.run(end + 20*time.Second)
		for n, c := range counts {
			if c[0] < 100 || c[0] != n.peer.senders[0].last || c[1] != n.senders[0].last || !n.Idle() {
				t.Errorf("%s: %d came of %d, %d receipts of %d", n.name, c[0], n.peer.senders[0].last, c[1], n.senders[0].last)
			}
		}
		if a.Delivered(0) != a.senders[0].last {
			t.Error("not delivered")
		}
	}
}

// What was unfinished when the generation changes is reported as lost, and nothing of it is kept.
func TestClose(t *testing.T) {
	w := newWorld(t, 1)
	p := path{latency: time.Hour}
	a, _ := w.pair(everyMode(t), p, p)
	fates := map[uint64]bool{}
	a.receipt = func(lane int, id uint64, arrived bool) { fates[id] = arrived }
	payload := NewPayload(msg(0, 1, 500))
	for range 100 {
		if _, err := a.SendPayload(0, 0, payload, a); err != nil {
			t.Fatal(err)
		}
		if err := a.SendLatest(4, 1, msg(0, 1, 20)); err != nil {
			t.Fatal(err)
		}
	}
	a.flush()
	a.Close(a)
	if len(fates) != 100 || fates[1] || fates[100] {
		t.Errorf("%d receipts", len(fates))
	}
	if n := payload.refs.Load(); n != 1 {
		t.Errorf("%d references", n)
	}
	payload.Release()
}

// After a blackout the lanes go on within a second or so, without a new connection.
//
// "after a blackout a game goes on at once" PROTOCOL.md 16.9
func TestBlackout(t *testing.T) {
	w := newWorld(t, 2)
	end := 20 * time.Second
	over := 11 * time.Second
	p := path{latency: 30 * time.Millisecond, down: func(now time.Duration) bool { return now > time.Second && now < over }}
	a, b := w.pair(table(t, Lane{Mode: Ordered, Queue: 1 << 20}), p, p)
	var first time.Duration
	n := uint64(0)
	a.tick(16*time.Millisecond, end, func() {
		if _, err := a.Send(w.now, 0, msg(0, 1, 200), a); err != nil {
			t.Fatal(err)
		}
	})
	b.tick(16*time.Millisecond, end, func() {})
	b.message = func(_ int, id uint64, _ []byte) {
		if n++; id != n {
			t.Fatalf("%d after %d", id, n)
		}
		if w.now > over && first == 0 {
			first = w.now - over
		}
	}
	w.run(end + time.Second)
	t.Logf("the first message came %v after the blackout", first)
	if first > 1100*time.Millisecond || n != a.senders[0].last {
		t.Errorf("%v; %d of %d", first, n, a.senders[0].last)
	}
}

// After a change of address RTT and rate begin anew; nothing of what is under way is sent again for
// that, and what left on the old path gives no sample.
//
// "A change of address leaves everything as it is, but for what section 16.9 says." PROTOCOL.md
// 16.11
func TestMoved(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	l.measure()
	s := l.send("x")
	l.Moved()
	if r, _ := l.RTT(); r != 0 || l.flight.bytes == 0 || len(l.flush()) != 0 {
		t.Errorf("RTT %v, %d bytes under way", r, l.flight.bytes)
	}
	l.later(300 * time.Millisecond)
	l.ack(s)
	if r, _ := l.RTT(); r != 0 || !l.Idle() {
		t.Errorf("RTT %v", r)
	}
	s = l.send("y")
	l.later(30 * time.Millisecond)
	l.ack(s)
	if r, _ := l.RTT(); r != 30*time.Millisecond {
		t.Errorf("RTT %v", r)
	}
}
