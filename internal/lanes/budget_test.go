package lanes

import (
	"encoding/binary"
	"testing"
	"time"
)

// A game that sends a snapshot each tick while Budget has room for one sends them all on a path
// that takes them, however long its round trips are; on one that does not, as many as the path
// takes. They leave at once.
func TestBudgetIsWhatLeaves(t *testing.T) {
	const end, size = 10 * time.Second, 1000
	for _, c := range []struct {
		latency   time.Duration
		rate      float64
		datagrams int
		least     int // snapshots of 600
	}{
		{5 * time.Millisecond, 0, 0, 599},
		{50 * time.Millisecond, 0, 0, 599},
		{200 * time.Millisecond, 0, 0, 560},
		{50 * time.Millisecond, 40_000, 0, 300},
		{50 * time.Millisecond, 0, 54, 535},
		{50 * time.Millisecond, 0, 9, 89},
	} {
		w := newWorld(t, 1)
		p := path{latency: c.latency, rate: c.rate, queue: time.Second}
		a, b := w.pair(table(t, Lane{Mode: Sequenced}), p, p)
		a.config.Datagrams = c.datagrams
		a.Endpoint = New(a.config)
		came := 0
		b.message = func(int, uint64, []byte) { came++ }
		a.tick(time.Second/60, end, func() {
			if a.Budget(w.now) < size {
				return
			}
			if _, err := a.Send(w.now, 0, make([]byte, size), a); err != nil {
				t.Fatal(err)
			}
			if a.flush(); a.senders[0].fresh != nil {
				t.Errorf("%v, %d datagrams a second: a snapshot waits", c.latency, c.datagrams)
			}
		})
		w.run(end + time.Minute)
		if came < c.least {
			t.Errorf("%v, %.0f bytes and %d datagrams a second: %d snapshots came, want %d", c.latency, c.rate, c.datagrams, came, c.least)
		}
	}
}

// So it is with all of it at once, where the peer takes few bytes, too.
func TestAllOfBudgetLeaves(t *testing.T) {
	const size = 1000
	for _, c := range []struct{ datagrams, bytes, least int }{
		{0, 0, 12}, {54, 0, 2}, {9, 0, 2}, {230, 235_929, 10}, {230, 58_982, 3}, {230, 14_745, 1}, {9000, 29_491, 2}, {54, 3686, 1},
	} {
		l := newLab(t, Lane{Mode: Sequenced})
		l.Endpoint = New(Config{Table: l.table, Base: 1, Next: 1, Random: l.random, Datagrams: c.datagrams, Ceiling: c.bytes})
		for again := range 10 {
			n := l.Budget(l.now) / size
			if again == 0 && n < c.least {
				t.Errorf("%+v: %d messages at first", c, n)
			}
			for range n {
				_, _ = l.Send(l.now, 0, make([]byte, size), l)
			}
			out := l.flush()
			if len(out) != n {
				t.Errorf("%+v: %d of %d messages leave", c, len(out), n)
			}
			for _, o := range out {
				l.ack(o.seq)
			}
			l.later(time.Second)
		}
	}
}

// A client's Budget is not 0 because its ACKs have used up its datagrams, since frames leave beside
// these, and not for ever because of its DATA.
func TestBudgetBesideOthers(t *testing.T) {
	const end = 10 * time.Second
	for _, c := range []struct {
		data, snapshots bool
		least           int // messages of 600
	}{
		{false, true, 535},
		{true, true, 535},
		{true, false, 40},
	} {
		w := newWorld(t, 1)
		p := path{latency: 10 * time.Millisecond}
		a, b := w.pair(table(t, Lane{Mode: Reliable}, Lane{Mode: Sequenced}), p, p)
		a.config.Datagrams = 54
		a.Endpoint = New(a.config)
		came := 0
		b.message = func(int, uint64, []byte) { came++ }
		b.tick(time.Second/60, end, func() {
			for range 4 {
				if c.snapshots {
					_, _ = b.Send(w.now, 1, make([]byte, 1000), b)
				}
			}
		})
		a.tick(time.Second/60, end, func() {
			if c.data {
				a.Sent(w.now, a.next, 100)
				a.next++
			}
			if a.Budget(w.now) >= 100 {
				_, _ = a.Send(w.now, 0, make([]byte, 100), a)
			}
		})
		w.run(end + time.Second)
		if came < c.least {
			t.Errorf("%+v: %d messages came", c, came)
		}
	}
}

// "send that while Budget is above 0, which it is again once the message has left" (transport.Player):
// snapshots that are longer than what leaves at once come, too, as many as the path takes.
func TestBudgetForLongMessages(t *testing.T) {
	const end, size = 10 * time.Second, 8000
	for _, c := range []struct {
		latency time.Duration
		rate    float64
		least   int // snapshots of 600
	}{
		{5 * time.Millisecond, 0, 599},
		{50 * time.Millisecond, 0, 570},
		{200 * time.Millisecond, 0, 450},
		{50 * time.Millisecond, 100_000, 100},
	} {
		w := newWorld(t, 1)
		p := path{latency: c.latency, rate: c.rate, queue: time.Second}
		a, b := w.pair(table(t, Lane{Mode: Sequenced, MaxMessage: size}), p, p)
		came := 0
		var slowest time.Duration
		b.message = func(_ int, _ uint64, m []byte) {
			came++
			slowest = max(slowest, w.now-c.latency-time.Duration(binary.BigEndian.Uint64(m)))
		}
		a.tick(time.Second/60, end, func() {
			if a.Budget(w.now) == 0 {
				return
			}
			m := make([]byte, size)
			binary.BigEndian.PutUint64(m, uint64(w.now))
			if _, err := a.Send(w.now, 0, m, a); err != nil {
				t.Fatal(err)
			}
		})
		w.run(end + time.Minute)
		if came < c.least || slowest > 600*time.Millisecond {
			t.Errorf("%v, %.0f bytes a second: %d snapshots came, want %d; the slowest after %v", c.latency, c.rate, came, c.least, slowest)
		}
	}
}

// Budget is less by what waits for the rate, whether it is new or was lost, but not by what is
// under way, or waits for credit.
func TestBudgetIsBesideWhatWaits(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable}, Lane{Mode: Unreliable, MaxMessage: 20_000, Parity: 2}, Lane{Mode: Latest},
		Lane{Mode: Reliable, MaxMessage: 2000, Credit: 3000})
	send := func(lane, n int) {
		t.Helper()
		if _, err := l.Send(l.now, lane, make([]byte, n), l); err != nil {
			t.Fatal(err)
		}
	}
	all := l.Budget(l.now)
	change := func(name string, want int) {
		t.Helper()
		if got := l.Budget(l.now) - all; got != want {
			t.Errorf("%s: Budget has changed by %d bytes, want %d", name, got, want)
		}
		all = l.Budget(l.now)
	}
	send(0, 700)
	change("a message", -700)
	if err := l.SendLatest(2, 1, make([]byte, 300)); err != nil {
		t.Fatal(err)
	}
	change("a value", -300)
	send(1, 4000)
	change("a message of four fragments, and two of parity", -6000)
	l.flush()
	all = l.Budget(l.now)
	send(3, 2000)
	change("what has credit", -2000)
	l.flush()
	all = l.Budget(l.now)
	send(3, 2000)
	change("what has none", 0)
	if all == 0 {
		t.Fatal("no budget is left to measure by")
	}

	l = newLab(t, Lane{Mode: Reliable})
	send(0, 700)
	seq := l.flush()[0].seq
	for seq < 6 { // the first is overtaken, and counts as lost
		seq = l.send("")
	}
	all = l.Budget(l.now)
	l.later(time.Nanosecond)
	l.ack(seq)
	change("a message that was lost", -700)
}
