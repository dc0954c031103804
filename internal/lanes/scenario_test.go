package lanes

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// A message counts as input once: with its last missing part, whatever repeats it, and also if the
// rate has dropped it.
//
// "It MUST count once, when the last part that it lacked arrives for the first time" PROTOCOL.md
// 16.5
// "a message of mode 3 or 4 MUST NOT count again for that" PROTOCOL.md 16.5
func TestInputs(t *testing.T) {
	for _, mode := range []Mode{Unreliable, Sequenced, Reliable, Ordered} {
		l := newLab(t, Lane{Mode: mode, MaxMessage: 4000, Input: true})
		count := func(f wire.Frame) int {
			f.Total = max(f.Total, uint32(len(f.Data)))
			return l.Inputs(f.AppendTo(nil))
		}
		if got := count(whole(1, "x")); got != 1 {
			t.Errorf("%v: %d", mode, got)
		}
		want := 1 // it was dropped, and comes again
		if mode.repeats() {
			want = 0
		}
		if got := count(whole(1, "x")); got != want {
			t.Errorf("%v, again: %d, want %d", mode, got, want)
		}
		l.frame(whole(1, "x"))
		if got := count(whole(1, "x")); got != 0 {
			t.Errorf("%v, delivered: %d", mode, got)
		}
		total := 0
		for i := range 2 {
			f := fragment(2, i, 2000)
			total += count(f)
			l.frame(f)
			total += count(f)
		}
		if total != 1 {
			t.Errorf("%v, fragments: %d", mode, total)
		}
	}
	l := newLab(t, Lane{Mode: Latest, Input: true}, Lane{Mode: Ordered})
	v := wire.Frame{Type: wire.FrameLatest, ID: 3, Data: []byte("v")}
	if l.Inputs(v.AppendTo(nil)) != 1 || l.frame(v) != Accepted || l.Inputs(v.AppendTo(nil)) != 0 {
		t.Error("a value")
	}
	f := wire.Frame{Type: wire.FrameWhole, Lane: 1, ID: 1}
	if l.Inputs(f.AppendTo(nil)) != 0 {
		t.Error("a lane without Input")
	}
}

// Two parts of a message that come in one datagram count as one that comes after the other.
//
// "It MUST count once, when the last part that it lacked arrives for the first time" PROTOCOL.md 16.5
func TestInputsOfTwoParts(t *testing.T) {
	for _, mode := range []Mode{Unreliable, Sequenced, Reliable, Ordered} {
		l := newLab(t, Lane{Mode: mode, MaxMessage: 2_000_000, Input: true, Credit: 4_000_000})
		body := func(fs ...wire.Frame) (b []byte) {
			for i := range fs {
				b = fs[i].AppendTo(b)
			}
			return b
		}
		first, second := fragment(1, 0, 1090), fragment(1, 1, 1090)
		if n := l.Inputs(body(first, first)); n != 0 {
			t.Errorf("%v, one part twice: %d", mode, n)
		}
		for _, b := range [][]byte{body(first, second), body(first, fragment(2, 1087, 1088*1088-1087), second)} {
			l := newLab(t, l.table.lanes...)
			if n := l.Inputs(b); n != 1 {
				t.Errorf("%v, both parts: %d", mode, n)
			}
			if l.take(b); len(l.messages) != 1 {
				t.Errorf("%v: %d messages", mode, len(l.messages))
			}
			if n := l.Inputs(b); n != 0 {
				t.Errorf("%v, delivered: %d", mode, n)
			}
		}
		const long, parts = 1088*1088 - 1087, 1088 // its last fragment has a byte
		for i := range parts - 2 {
			if f := fragment(3, i, long); mode.repeats() {
				l.frame(f)
			} else if l.take(body(f)) != Accepted {
				t.Fatal(i)
			}
		}
		last, other := fragment(3, parts-1, long), fragment(3, parts-2, long)
		if n := l.Inputs(body(last, other)); n != 1 {
			t.Errorf("%v, the last two of many: %d", mode, n)
		}
	}
}

// A game that takes nothing stalls its lane alone: credit stops the sender, nothing is lost, and the
// lane goes on when the game does.
//
// "A sender MUST NOT begin a message beyond the credit." PROTOCOL.md 16.6
// "So a game that takes nothing stalls the lane, and nothing else." PROTOCOL.md 16.6
func TestReceiverStalls(t *testing.T) {
	w := newWorld(t, 6)
	p := path{latency: 20 * time.Millisecond, loss: 0.05, reorder: 0.1, reorderBy: 10 * time.Millisecond}
	a, b := w.pair(table(t, Lane{Mode: Ordered, MaxMessage: 4000, Credit: 16_000, Queue: 64 << 10}, Lane{Mode: Ordered}), p, p)
	var came [2]uint64
	waiting, stalled := 0, true
	full := false
	b.hold = func(lane int, _ []byte) bool { return lane == 0 && stalled }
	b.message = func(lane int, id uint64, m []byte) {
		if came[lane]++; id != came[lane] {
			t.Fatalf("lane %d: %d after %d", lane, id, came[lane]-1)
		}
		if lane == 0 && stalled {
			if waiting += len(m); waiting > 16_000 {
				t.Fatalf("%d bytes wait for the game", waiting)
			}
		}
	}
	a.tick(16*time.Millisecond, 10*time.Second, func() {
		if _, err := a.Send(w.now, 0, msg(0, 1, 1500), a); err != nil {
			full = full || errors.Is(err, ErrFull)
		}
		if _, err := a.Send(w.now, 1, msg(0, 1, 20), a); err != nil {
			t.Fatal(err)
		}
	})
	b.tick(16*time.Millisecond, 10*time.Second, func() {})
	w.at(6*time.Second, func() {
		if came[1] < 300 || !full {
			t.Errorf("%d on the other lane, full %v", came[1], full)
		}
		stalled = false
		b.Taken(0, waiting)
	})
	w.run(20 * time.Second)
	if came[0] < 200 || !a.Idle() {
		t.Errorf("%d came, idle %v", came[0], a.Idle())
	}
}

// Bulk in the background gives way to what has priority, and lanes of one priority share by weight.
//
// "then messages by priority, and by weight among lanes of one priority" PROTOCOL.md 16.9
func TestPriorityAndWeight(t *testing.T) {
	w := newWorld(t, 8)
	p := path{latency: 20 * time.Millisecond, rate: 100_000, queue: 200 * time.Millisecond}
	big := Lane{Mode: Ordered, MaxMessage: 4000, Credit: 1 << 20, Queue: 1 << 20}
	first, half, whole, last := big, big, big, big
	first.Priority, half.Priority, whole.Priority, last.Priority = 0, 1, 1, 2
	whole.Weight, half.Weight = 2, 1
	a, b := w.pair(table(t, first, half, whole, last), p, p)
	var bytes [4]float64
	b.message = func(lane int, _ uint64, m []byte) { bytes[lane] += float64(len(m)) }
	tick := 0
	a.tick(16*time.Millisecond, 10*time.Second, func() {
		if tick++; tick%10 == 0 {
			if _, err := a.Send(w.now, 0, msg(0, 1, 4000), a); err != nil {
				t.Fatal(err)
			}
		}
		for lane := 1; lane < 4; lane++ {
			for range 3 {
				_, _ = a.Send(w.now, lane, msg(0, 1, 4000), a)
			}
		}
	})
	b.tick(16*time.Millisecond, 10*time.Second, func() {})
	w.run(10 * time.Second)
	t.Logf("%.0f", bytes)
	if bytes[0] < 0.9*4000*60 {
		t.Errorf("the first lane got %.0f bytes", bytes[0])
	}
	if ratio := bytes[2] / bytes[1]; ratio < 1.8 || ratio > 2.2 {
		t.Errorf("2 to 1 became %.2f", ratio)
	}
	if bytes[3] > 0.05*bytes[1] {
		t.Errorf("the last lane got %.0f bytes", bytes[3])
	}
}

// A lane that begins or goes on shares the rate from then on: the others of its priority do not
// wait for it to catch up.
//
// "What a lane could not use, for want of messages or of credit, it SHOULD NOT get later."
// PROTOCOL.md 16.9
func TestNoLaneCatchesUp(t *testing.T) {
	const (
		steady, fresh, idle, stalled, latest = 0, 1, 2, 3, 4 // lanes

		begin, end = 10 * time.Second, 15 * time.Second
	)
	for _, c := range []struct {
		name    string
		late    int  // the lane that sends much from begin on
		stalled bool // one is, up to begin
	}{
		{"first message", fresh, false},
		{"first message beside a lane without credit", fresh, true},
		{"second message", idle, false},
		{"first value", latest, false},
		{"credit", stalled, true},
	} {
		w := newWorld(t, 3)
		p := path{latency: 20 * time.Millisecond, rate: 100_000, queue: 200 * time.Millisecond}
		bulk := Lane{Mode: Ordered, Credit: 200_000}
		a, b := w.pair(table(t, Lane{Mode: Sequenced}, bulk, bulk, bulk, Lane{Mode: Latest}), p, p)
		held, sent := 0, 0
		b.hold = func(lane int, m []byte) bool {
			if lane != stalled || w.now >= begin {
				return false
			}
			held += len(m)
			return true
		}
		timely, beside := 0, 0
		b.message = func(lane int, _ uint64, m []byte) {
			switch {
			case w.now < begin:
			case lane == c.late:
				beside++
			case lane == steady && w.now < time.Duration(binary.BigEndian.Uint64(m))+200*time.Millisecond:
				timely++
			}
		}
		b.latest = func(int, uint32, []byte) { beside++ }
		big := make([]byte, 1000)
		_, _ = a.Send(0, idle, big, a)
		a.tick(16*time.Millisecond, end, func() {
			binary.BigEndian.PutUint64(big, uint64(w.now))
			_, _ = a.Send(w.now, steady, big[:240], a) // 15 KB a second
			if c.stalled {
				_, _ = a.Send(w.now, stalled, big, a)
			}
			if w.now < begin {
				return
			}
			sent++
			for key := range uint32(40) { // more than the path takes
				if _, err := a.Send(w.now, c.late, big, a); err == ErrLane {
					_ = a.SendLatest(c.late, key, big)
				}
			}
		})
		w.at(begin, func() { b.Taken(stalled, held); b.flush() })
		w.run(end)
		if timely < sent*9/10 || beside < 100 {
			t.Errorf("%s: %d of %d steady messages came in time, and %d beside them", c.name, timely, sent, beside)
		}
	}
}

// A lane whose short messages have filled the room that others left does not wait for these later,
// nor does a lane that goes on wait with it: from any time on each has its share by weight.
func TestRoomThatIsLeft(t *testing.T) {
	const begin, end = 10 * time.Second, 15 * time.Second
	for _, c := range []struct{ weights, sizes [3]int }{
		{[3]int{255, 1, 255}, [3]int{1000, 60, 1000}},
		{[3]int{64, 4, 4}, [3]int{700, 300, 700}},
		{[3]int{64, 16, 16}, [3]int{700, 300, 300}},
	} {
		w := newWorld(t, 3)
		p := path{latency: 20 * time.Millisecond, rate: 200_000, queue: 200 * time.Millisecond}
		var lanes []Lane
		weights := 0
		for _, weight := range c.weights {
			lanes = append(lanes, Lane{Mode: Ordered, Credit: 400_000, Weight: uint8(weight)})
			weights += weight
		}
		a, b := w.pair(table(t, lanes...), p, p)
		var came [3]int
		all := 0
		b.message = func(lane int, _ uint64, m []byte) {
			if w.now >= begin {
				came[lane] += len(m)
				all += len(m)
			}
		}
		_, _ = a.Send(w.now, 2, nil, a)
		a.tick(16*time.Millisecond, end, func() {
			for lane, size := range c.sizes {
				for lane < 2 || w.now >= begin {
					if _, bytes := a.Pending(lane); bytes > 30_000 {
						break
					}
					if _, err := a.Send(w.now, lane, make([]byte, size), a); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
		w.run(end)
		for lane, n := range came {
			if n*weights*2 < all*c.weights[lane] {
				t.Errorf("%+v: of %d bytes lane %d has %d", c, all, lane, n)
			}
		}
	}
}
