package lanes

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

func whole(id uint64, s string) wire.Frame {
	return wire.Frame{Type: wire.FrameWhole, ID: id, Data: []byte(s)}
}

func value(key uint32, id uint64, s string) wire.Frame {
	return wire.Frame{Type: wire.FrameLatest, Key: key, ID: id, Data: []byte(s)}
}

func fragment(id uint64, index, total int) wire.Frame {
	return wire.Frame{
		Type: wire.FrameFragment, ID: id, Index: uint16(index), Total: uint32(total),
		Data: make([]byte, max(0, wire.FragmentLen(total, index))),
	}
}

// Frames for a lane that does not exist, or that its mode does not have, are malformed.
//
// "a lane that does not exist, a frame that its lane's mode does not have, a message longer than
// its lane's largest" PROTOCOL.md 16.3
// "WHOLE and FRAGMENT belong to modes 1 to 4, PARITY to lanes with parity and with an index below
// it, LATEST to mode 5, SKIP, with an id of 2 or more, and CREDIT to modes 3 and 4" PROTOCOL.md
// 16.3
func TestCheck(t *testing.T) {
	modes := []Mode{Unreliable, Sequenced, Reliable, Ordered, Latest}
	var lanes []Lane
	for _, m := range modes {
		l := Lane{Mode: m}
		if m != Latest {
			l.MaxMessage = 4000
		}
		lanes = append(lanes, l)
	}
	tab := table(t, lanes...)
	for lane := range 6 {
		for _, f := range []wire.Frame{
			whole(1, "x"), fragment(1, 0, 4000), fragment(1, 0, 4001),
			{Type: wire.FrameLatest, ID: 1},
			{Type: wire.FrameSkip, ID: 2},
			{Type: wire.FrameCredit},
			{Type: wire.FrameParity, ID: 1, Total: 4000, Data: make([]byte, 1000)},
		} {
			f.Lane = uint8(lane)
			want := false
			if lane < 5 {
				switch f.Type {
				case wire.FrameWhole, wire.FrameFragment:
					want = modes[lane] != Latest && f.Total <= 4000
				case wire.FrameLatest:
					want = modes[lane] == Latest
				case wire.FrameSkip, wire.FrameCredit:
					want = modes[lane] == Reliable || modes[lane] == Ordered
				}
			}
			if got := tab.Check(f.AppendTo(nil)); got != want {
				t.Errorf("lane %d, type %d: %v", lane, f.Type, got)
			}
		}
	}
	if tab.Check(nil) {
		t.Error("an empty body passes")
	}
}

// The three verdicts that a peer of mode Reliable or Ordered can earn, each at its bound.
//
// "A receiver that gets one has no honest peer: a server revokes the session" PROTOCOL.md 16.6
// "A receiver that gets such an id has no honest peer either, and does the same." PROTOCOL.md 16.6
// "A SKIP whose bytes are fewer than those it knows of is malformed, one whose bytes exceed the
// credit is a message begun beyond it, and one that is not above the oldest unfinished id is a
// repetition. SKIP's id has no bound." PROTOCOL.md 16.6
func TestVerdicts(t *testing.T) {
	for _, mode := range []Mode{Reliable, Ordered} {
		spec := Lane{Mode: mode, MaxMessage: 4000, Credit: 4000}
		for _, c := range []struct {
			name   string
			frames []wire.Frame
			want   Outcome
		}{
			{"last id", []wire.Frame{whole(MaxSpan, "x")}, Accepted},
			{"id beyond", []wire.Frame{whole(MaxSpan+1, "x")}, TooFar},
			{"far future", []wire.Frame{whole(wire.MaxVarint, "x")}, TooFar},
			{"all credit", []wire.Frame{fragment(2, 0, 3000), whole(3, strings.Repeat("x", 1000))}, Accepted},
			{"beyond credit", []wire.Frame{fragment(2, 0, 3000), whole(3, strings.Repeat("x", 1001))}, Overrun},
			{"totals differ", []wire.Frame{fragment(2, 0, 3000), fragment(2, 1, 2999)}, Malformed},
			{"whole and fragment", []wire.Frame{fragment(2, 0, 3000), whole(2, "x")}, Malformed},
			{"repetition", []wire.Frame{fragment(2, 0, 3000), fragment(2, 0, 3000)}, Accepted},
			{"skip of fewer bytes than seen", []wire.Frame{whole(2, "12345"), {Type: wire.FrameSkip, ID: 3, Bytes: 4}}, Malformed},
			{"skip beyond credit", []wire.Frame{whole(3, "12345"), {Type: wire.FrameSkip, ID: 3, Bytes: 4001}}, Overrun},
			{"skip of all credit", []wire.Frame{whole(3, "12345"), {Type: wire.FrameSkip, ID: 3, Bytes: 3995}}, Accepted},
			{"skip far away", []wire.Frame{whole(3, "1"), {Type: wire.FrameSkip, ID: wire.MaxVarint, Bytes: 1}}, Accepted},
		} {
			l := newLab(t, spec)
			worst := Accepted
			for _, f := range c.frames {
				worst = max(worst, l.frame(f))
			}
			if worst != c.want {
				t.Errorf("%v, %s: %v, want %v", mode, c.name, worst, c.want)
			}
			if worst.Revokes() != (c.want == TooFar || c.want == Overrun) {
				t.Errorf("%s: %v", c.name, worst)
			}
		}
	}
}

// Oversized and full: a typed error before anything is queued. Lanes without repetition drop their
// oldest message.
//
// "A sender MUST NOT drop a message of mode 3 or 4 from a full queue: sending fails. In modes 1
// and 2 the oldest gives way, in mode 5 the value before." PROTOCOL.md 16.7
func TestErrorsOfSend(t *testing.T) {
	l := newLab(t, Lane{Mode: Ordered, Queue: 1000 + messageCost, MaxMessage: 1000}, Lane{Mode: Latest, Queue: 2000, MaxMessage: 500},
		Lane{Mode: Sequenced, Queue: 1000 + messageCost, MaxMessage: 1000, Receipts: true})
	for _, c := range []struct {
		lane, n int
		want    error
	}{{-1, 1, ErrLane}, {3, 1, ErrLane}, {1, 1, ErrLane}, {0, 1001, ErrTooLarge}, {0, 1000, nil}, {0, 0, ErrFull}} {
		if _, err := l.Send(l.now, c.lane, make([]byte, c.n), l); !errors.Is(err, c.want) {
			t.Errorf("lane %d, %d bytes: %v, want %v", c.lane, c.n, err, c.want)
		}
	}
	if n, b := l.Pending(0); n != 1 || b != 1000 {
		t.Errorf("%d messages, %d bytes", n, b)
	}
	for _, c := range []struct {
		lane int
		key  uint32
		n    int
		want error
	}{{0, 1, 1, ErrLane}, {1, 1, 501, ErrTooLarge}, {1, 1, 500, nil}, {1, 2, 500, nil}, {1, 3, 500, nil}, {1, 4, 500, ErrFull}, {1, 1, 400, nil}} {
		if err := l.SendLatest(c.lane, c.key, make([]byte, c.n)); !errors.Is(err, c.want) {
			t.Errorf("key %d, %d bytes: %v, want %v", c.key, c.n, err, c.want)
		}
	}
	for i := range uint64(3) {
		if id, err := l.Send(l.now, 2, make([]byte, 900), l); err != nil || id != i+1 {
			t.Fatal(id, err)
		}
	}
	if len(l.receipts) != 2 || l.receipts[1] || l.receipts[2] {
		t.Errorf("%v", l.receipts)
	}
	p := NewPayload(make([]byte, 2000))
	if _, err := l.SendPayload(l.now, 0, p, l); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := l.SendPayload(l.now, 1, p, l); !errors.Is(err, ErrLane) {
		t.Error(err)
	}
	p.Release()
}

func TestConfig(t *testing.T) {
	for name, lanes := range map[string][]Lane{
		"none":      nil,
		"seventeen": make([]Lane, 17),
		"no mode":   {{}},
		"mode":      {{Mode: 6}},
		"message":   {{Mode: Ordered, MaxMessage: 1 << 24}},
		"latest":    {{Mode: Latest, MaxMessage: 1089}},
		"credit":    {{Mode: Ordered, MaxMessage: 2000, Credit: 1999}},
		"queue":     {{Mode: Ordered, MaxMessage: 2000, Queue: 2000}},
		"big queue": {{Mode: Ordered, Queue: 1<<30 + 1}},
		"age":       {{Mode: Ordered, MaxAge: -1}},
	} {
		if _, err := NewTable(lanes); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if Ordered.String() != "ordered" || Mode(9).String() != "mode 9" {
		t.Error("names")
	}
}

// A message that is given up is skipped, so that the lane goes on and its credit comes back.
//
// "It MUST give up the oldest unfinished one of its lane first, and it MUST then send SKIP, until
// that or a later one is acknowledged." PROTOCOL.md 16.6
func TestAge(t *testing.T) {
	w := newWorld(t, 1)
	down := path{latency: 20 * time.Millisecond, down: func(now time.Duration) bool { return now < time.Second }}
	a, b := w.pair(table(t, Lane{Mode: Ordered, MaxMessage: 4000, Credit: 8000, MaxAge: 300 * time.Millisecond, Receipts: true}), down, path{latency: 20 * time.Millisecond})
	var came []uint64
	b.message = func(_ int, id uint64, _ []byte) { came = append(came, id) }
	fates := map[uint64]bool{}
	a.receipt = func(_ int, id uint64, arrived bool) { fates[id] = arrived }
	last := uint64(0)
	a.tick(50*time.Millisecond, 3*time.Second, func() { last, _ = a.Send(w.now, 0, msg(0, 1, 3000), a) })
	b.tick(50*time.Millisecond, 3*time.Second, func() {})
	w.run(10 * time.Second)
	if len(came) < 30 || came[0] < 10 || came[len(came)-1] != last {
		t.Errorf("%d came", len(came))
	}
	for _, id := range came {
		if _, ok := fates[id]; !ok {
			t.Errorf("no receipt for %d", id)
		}
	}
	if len(fates) != int(last) || !a.Idle() {
		t.Errorf("%d receipts of %d", len(fates), last)
	}
}

// Half messages of a hostile peer, on 16 lanes: memory is bounded, and the newest still get through.
//
// "A receiver puts up to 4 messages of a lane together at once, and no more of a session than 256
// KiB, parity frames counted, or one of the largest; beyond that the oldest gives way."
// PROTOCOL.md 16.5
func TestHalfMessages(t *testing.T) {
	var lanes []Lane
	for range wire.MaxLanes {
		lanes = append(lanes, Lane{Mode: Unreliable, MaxMessage: 100_000})
	}
	l := newLab(t, lanes...)
	for id := range uint64(500) {
		for lane := range lanes {
			f := fragment(id+1, 0, 100_000)
			f.Lane = uint8(lane)
			if o := l.frame(f); o > Refused {
				t.Fatal(o)
			}
			if l.partial > MaxReassembly {
				t.Fatalf("%d bytes", l.partial)
			}
		}
	}
	if o := l.frame(fragment(3, 1, 100_000)); o != Refused {
		t.Errorf("a fragment of what gave way: %v", o)
	}
	f := fragment(600, 0, 1089)
	if o := l.frame(f); o != Accepted {
		t.Error(o)
	}
	if o := l.frame(fragment(600, 1, 1089)); o != Accepted || len(l.messages) != 1 {
		t.Errorf("%v, %d messages", o, len(l.messages))
	}
	sum := 0
	for _, d := range l.readers {
		for _, a := range d.loose.partials {
			if a != nil {
				sum += a.cost
			}
		}
	}
	if sum != l.partial {
		t.Errorf("%d bytes, counted %d", sum, l.partial)
	}
}

// Halves of messages on one lane, of which nothing more comes, do not hold up another lane for ever.
//
// "beyond that the oldest gives way" PROTOCOL.md 16.5
func TestHalfMessagesGiveWayToOtherLanes(t *testing.T) {
	l := newLab(t, Lane{Mode: Unreliable, MaxMessage: 65_536}, Lane{Mode: Sequenced, MaxMessage: 6000})
	for id := range uint64(MaxPartials) {
		if o := l.frame(fragment(id+1, 0, 65_536)); o != Accepted {
			t.Fatal(o)
		}
	}
	for i := range 6 {
		f := fragment(1, i, 6000)
		f.Lane = 1
		if o := l.frame(f); o != Accepted {
			t.Error(o)
		}
	}
	if len(l.messages) != 1 {
		t.Errorf("%d messages", len(l.messages))
	}
	for id, want := range []Outcome{Refused, Accepted} {
		if o := l.frame(fragment(uint64(id)+1, 1, 65_536)); o != want {
			t.Errorf("%d: %v, want %v", id+1, o, want)
		}
	}
}

// A panic of the user's amid a SKIP costs neither credit nor a message, nor does it give any twice:
// the SKIP comes again.
//
// "Credit grows by the length of a message when the game has taken the message, or a SKIP has given
// it up." PROTOCOL.md 16.6
func TestPanicAmidSkip(t *testing.T) {
	const credit, first, third, fourth = 10_000, 2000, 3000, 500
	l := newLab(t, Lane{Mode: Ordered, MaxMessage: 4000, Credit: credit})
	l.frame(fragment(1, 0, first))
	l.frame(whole(2, "second"))
	l.frame(fragment(3, 0, third)) // the fourth has not come at all
	l.frame(whole(5, "fifth"))
	l.frame(whole(6, "sixth"))
	skipped := uint64(first + len("second") + third + fourth + len("fifth"))
	body := (&wire.Frame{Type: wire.FrameSkip, ID: 6, Bytes: skipped}).AppendTo(nil)
	take := func() (returned bool) {
		defer func() { _ = recover() }()
		l.Receive(l.now, l.peerSeq+1, l.next-1, body, panics{l})
		return true
	}
	for i, want := range []bool{false, false, false, true} {
		if take() != want || len(l.messages) != min(i+1, 3) {
			t.Errorf("%d: it returned %v, %q", i, !want, l.messages)
		}
	}
	taken := skipped + uint64(len("sixth"))
	if d := l.readers[0]; d.granted != credit+taken || d.seen != taken || d.below != taken {
		t.Errorf("a credit of %d, of %d bytes that were begun", d.granted, d.seen)
	}
}

// What comes late, when a panic has left a SKIP unfinished, is counted once, as skipped: the SKIP can
// be finished.
func TestLateAfterPanicAmidSkip(t *testing.T) {
	const credit, first, third, fourth = 10_000, 2000, 500, 1500
	l := newLab(t, Lane{Mode: Ordered, MaxMessage: 4000, Credit: credit})
	l.frame(fragment(1, 0, first))
	l.frame(whole(2, "second"))
	skipped := uint64(first + len("second") + third + fourth)
	body := (&wire.Frame{Type: wire.FrameSkip, ID: 5, Bytes: skipped}).AppendTo(nil)
	func() {
		defer func() { _ = recover() }()
		l.Receive(l.now, l.peerSeq+1, l.next-1, body, panics{l})
	}()
	l.frame(fragment(4, 0, fourth))
	if o := l.take(body); o != Accepted {
		t.Errorf("the SKIP is %v", o)
	}
	l.frame(whole(5, "fifth"))
	if want := []string{"second", "fifth"}; !slices.Equal(l.messages, want) {
		t.Errorf("%q", l.messages)
	}
	taken := skipped + uint64(len("fifth"))
	if d := l.readers[0]; d.granted != credit+taken || d.seen != taken || d.below != taken {
		t.Errorf("a credit of %d, of %d bytes that were begun", d.granted, d.seen)
	}
}

// panics takes messages, and panics then.
type panics struct{ *lab }

func (p panics) Message(lane int, id uint64, b []byte) {
	p.lab.Message(lane, id, b)
	panic("a game's")
}

// Latest: what is stale is refused, what was replaced is acknowledged without an effect, and keys are
// bounded.
//
// "A LATEST takes effect if its id is higher than the last one of its key. One that is not is
// acknowledged: a newer value took effect. One whose id is more than 1,024 below the lane's newest
// MUST be refused" PROTOCOL.md 16.5
// "A receiver knows up to 2,048 keys, removed ones included, and refuses more." PROTOCOL.md 16.5
func TestLatestOfAPeer(t *testing.T) {
	l := newLab(t, Lane{Mode: Latest})
	for _, c := range []struct {
		f    wire.Frame
		want Outcome
		now  string
	}{
		{value(1, 5, "new"), Accepted, "new"},
		{value(1, 4, "old"), Accepted, "new"},
		{value(1, 6, ""), Accepted, ""},
		{value(1, 5, "new"), Accepted, ""},
		{value(2, 2000, "x"), Accepted, ""},
		{value(1, 975, "late"), Refused, ""},
		{value(1, 976, "not late"), Accepted, "not late"},
	} {
		if o := l.frame(c.f); o != c.want || l.values[1] != c.now {
			t.Errorf("id %d: %v, %q", c.f.ID, o, l.values[1])
		}
	}
	for i := range uint64(5000) {
		l.frame(value(uint32(i), 3000+i, "x"))
	}
	if n := len(l.readers[0].keys); n > 2*MaxKeys {
		t.Errorf("%d keys", n)
	}
}

// A datagram of hundreds of values for new keys has the keys looked through once: what that could make room for later in
// the same one is refused, and comes again.
func TestKeysAreLookedThroughOnce(t *testing.T) {
	l := newLab(t, Lane{Mode: Latest})
	l.frame(value(0, 1000, "")) // removed
	for key := range uint32(2*MaxKeys - 1) {
		l.frame(value(1+key, 1001, "x"))
	}
	const first, second = 5000, 5001
	if o := l.frame(value(first, 1002, "x"), value(1, 3000, "x"), value(second, 3001, "x")); o != Refused || l.values[second] != "" {
		t.Errorf("%v, %q: the keys were looked through twice", o, l.values[second])
	}
	if o := l.frame(value(second, 3001, "x")); o != Accepted || l.values[second] != "x" {
		t.Errorf("%v, %q: there is room since key 0 is stale", o, l.values[second])
	}
}

// Keys come and go without end, over a link that loses.
func TestKeysComeAndGo(t *testing.T) {
	w := newWorld(t, 4)
	p := path{latency: 20 * time.Millisecond, loss: 0.1, jitter: 30 * time.Millisecond}
	a, b := w.pair(table(t, Lane{Mode: Latest, Queue: 1 << 20}), p, p)
	want, got := map[uint32]string{}, map[uint32]string{}
	b.latest = func(_ int, key uint32, v []byte) {
		if got[key] = string(v); len(v) == 0 {
			delete(got, key)
		}
	}
	n := uint32(0)
	a.tick(16*time.Millisecond, 4*time.Second, func() {
		for range 10 {
			if n++; n > 200 {
				if err := a.SendLatest(0, n-200, nil); err == nil {
					delete(want, n-200)
				}
			}
			v := msg(0, uint64(n), 10)
			if err := a.SendLatest(0, n, v); err == nil {
				want[n] = string(v)
			}
		}
	})
	b.tick(16*time.Millisecond, 4*time.Second, func() {})
	w.run(30 * time.Second)
	if len(want) != len(got) || len(want) < 100 {
		t.Fatalf("%d keys, want %d", len(got), len(want))
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("key %d is %x, want %x", k, got[k], v)
		}
	}
	if n := len(b.readers[0].keys); n > 2*MaxKeys {
		t.Errorf("%d keys are remembered", n)
	}
}
