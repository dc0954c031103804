package lanes

import (
	"math"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// An ACK of a number that was left out, or of one above the highest, is a lie; each counts once, and
// the third ends the session. A lie has no effect.
//
// "An ACK is a lie if it names a number left out since the base and among the last 16 left out, or
// one above the highest sent. A lie MUST NOT have an effect, and no frame of its datagram may have
// one. Each number counts once." PROTOCOL.md 16.10
// "the third number MUST revoke the session" PROTOCOL.md 16.10
// "An end MUST NOT acknowledge a number below the base, and an ACK's part below it MUST be
// ignored." PROTOCOL.md 16.11
func TestLies(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	out := []uint64{}
	l.random = func() uint64 {
		if l.next%3 == 0 {
			return 0
		}
		return 1
	}
	for range 9 {
		s := l.send("x")
		if s > 1 && s-1 != 0 && (s-1)%3 == 0 {
			out = append(out, s-1)
		}
	}
	if o := l.ack(out[0] - 1); o != Accepted {
		t.Fatal(o)
	}
	before, _ := l.Pending(0)
	for i, c := range []struct {
		seq  uint64
		want Outcome
	}{{out[0], Lied}, {out[0], Accepted}, {l.next + 5, Lied}, {l.next + 5, Lied}, {math.MaxUint32 / 4, Liar}} {
		if o := l.ack(c.seq); o != c.want {
			t.Errorf("%d: %v, want %v", i, o, c.want)
		}
	}
	if after, _ := l.Pending(0); after != before {
		t.Error("a lie had an effect")
	}
	if !Liar.Revokes() || Lied.Revokes() || Liar.String() != "liar" {
		t.Error("names")
	}
	l.Resume(1, l.next, l)
	if o := l.ack(out[1]); o != Accepted {
		t.Errorf("below the base: %v", o)
	}
}

// "The receiver of an ACK MUST take, of the numbers with these low 32 bits, the one nearest to the
// highest that it has sent; of two equally near it takes the lower, unless that lies below 0."
// PROTOCOL.md 16.8
func TestRestore(t *testing.T) {
	for _, c := range []struct{ full, sent uint64 }{
		{1, 1}, {1, 5}, {1<<32 - 1, 1<<32 + 5}, {1<<32 + 1, 1<<32 + 5}, {1 << 40, 1<<40 + 1}, {1<<40 + 3, 1 << 40}, {7, 1},
	} {
		if got := restore(uint32(c.full), c.sent); got != c.full {
			t.Errorf("%d of %d: %d", c.full, c.sent, got)
		}
	}
}

// An ACK is due after two eliciting datagrams or the stated delay; one that came alone elicits none.
//
// "Datagrams of nothing but ACK SHOULD be 16 ms apart or more" PROTOCOL.md 16.8
func TestWhenAcksLeave(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	whole := func(id uint64) wire.Frame { return wire.Frame{Type: wire.FrameWhole, ID: id, Data: []byte("m")} }
	l.frame(whole(1))
	if d := l.Deadline(l.now) - l.now; d != defaultDelay {
		t.Errorf("due in %v", d)
	}
	if len(l.flush()) != 0 {
		t.Error("too early")
	}
	l.later(time.Millisecond)
	l.frame(whole(2))
	out := l.flush()
	if len(out) != 1 || len(out[0].frames) != 1 || out[0].frames[0].Ack.First != 1 {
		t.Fatalf("%+v", out)
	}
	l.frame(whole(3))
	l.frame(whole(4))
	if len(l.flush()) != 0 {
		t.Error("two datagrams of nothing but ACK within 16 ms")
	}
	l.later(ackSpacing)
	if len(l.flush()) != 1 {
		t.Error("nothing after 16 ms")
	}
	l.ack(1)
	l.Note(l.now, l.peerSeq+1)
	l.peerSeq++
	l.later(time.Second)
	if len(l.flush()) != 0 {
		t.Error("an ACK of an ACK")
	}
	l.frame(whole(5))
	l.send("answer")
	if l.arrivals.owed != 0 {
		t.Error("the answer carries no ACK")
	}
}

// An ACK has what the peer does not know yet, and stops at what it does.
//
// "An ACK SHOULD have all that the other end may not know yet, and MAY leave out what an
// acknowledged datagram has already reported." PROTOCOL.md 16.8
func TestRangesStopAtWhatIsKnown(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	whole := func(id uint64) wire.Frame { return wire.Frame{Type: wire.FrameWhole, ID: id, Data: []byte("m")} }
	for i := range uint64(5) {
		l.peerSeq++ // one is missing before each
		l.frame(whole(i + 1))
	}
	s := l.send("answer")
	if got := l.arrivals.ranges(make([]wire.Range, 0, 32)); len(got) != 5 {
		t.Fatalf("%v", got)
	}
	l.ack(s)
	l.frame(whole(6))
	if got := l.arrivals.ranges(make([]wire.Range, 0, 32)); len(got) != 1 || got[0].Low != 11 {
		t.Errorf("%v", got)
	}
	late := l.peerSeq
	l.peerSeq = 2 // one that was missing comes late
	l.frame(whole(7))
	l.peerSeq = late
	if got := l.arrivals.ranges(make([]wire.Range, 0, 32)); got[len(got)-1].Low > 3 || got[len(got)-1].High < 3 {
		t.Errorf("%v", got)
	}
}

// One that comes late, while an ACK of later ones is under way, is reported as well once that ACK has
// arrived: it did not have it.
//
// "An ACK SHOULD have all that the other end may not know yet" PROTOCOL.md 16.8
func TestLateOnesAreReported(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	l.frame(whole(1, "m"))
	l.peerSeq = 2
	l.frame(whole(3, "m"))
	without := l.send("answer")
	l.peerSeq = 1
	l.frame(whole(2, "m"))
	l.peerSeq = 3
	l.ack(without)
	l.later(time.Second)
	out := l.flush()
	if len(out) != 1 || out[0].frames[0].Ack.First < 2 || l.arrivals.owed != 0 {
		t.Errorf("%+v, %d are owed", out, l.arrivals.owed)
	}
}

// Other datagrams are charged to the rate, reported, and elicit nothing.
func TestOtherDatagrams(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	budget := l.Budget(l.now)
	if budget == 0 || l.Rate() == 0 {
		t.Fatal("no budget")
	}
	for range 4 {
		l.Sent(l.now, l.next, 500)
		l.next++
	}
	if got := l.Budget(l.now); got > budget-2000 || l.flight.bytes != 0 {
		t.Errorf("budget %d of %d", got, budget)
	}
	l.ack(4)
	if n, _ := l.Lost(); n != 1 { // by the count of packets
		t.Errorf("%d lost", n)
	}
	for range 4 * MaxWindow {
		l.Sent(l.now, l.next, 10)
		l.next++
	}
	if n := l.flight.packets.len(); n > MaxWindow {
		t.Errorf("%d remembered", n)
	}
	l.later(5 * time.Second)
	l.flush()
	if n := l.flight.packets.len(); n != 0 {
		t.Errorf("%d remembered for ever", n)
	}
}

// DATA that takes more than the rate, and for however long, leaves lanes the floor of it, and a client's
// a ninth of its datagrams. What is owed for it ends a second later.
func TestOtherDatagramsLeaveTheFloor(t *testing.T) {
	for _, c := range []struct{ datagrams, beside, after int }{
		{0, defaultFloor*9/10/(1000+overhead) + 1, 0},
		{54, 5, 40},
	} {
		l := newLab(t, Lane{Mode: Reliable})
		l.pace.datagrams = float64(c.datagrams)
		seconds := func(n, data int) (got int) {
			for range n * 60 {
				for range data {
					l.Sent(l.now, l.next, 1000)
					l.next++
				}
				l.later(time.Second / 60)
				for _, out := range l.flush() {
					got++
					l.ack(out.seq)
				}
			}
			return got
		}
		seconds(60, 3) // 180 KB a second
		for range 100 {
			if _, err := l.Send(l.now, 0, make([]byte, 1000), l); err != nil {
				t.Fatal(err)
			}
		}
		if got := seconds(1, 3); got < c.beside || c.datagrams != 0 && got > c.beside+1 {
			t.Errorf("%d datagrams in a second, want %d", got, c.beside)
		}
		if got := seconds(2, 0); got < c.after {
			t.Errorf("%d datagrams in two seconds without DATA, want %d", got, c.after)
		}
	}
}

// What DATA has not taken for a while it may take at once, but not so much that lanes, which have a ninth
// of the rate beside it, make up for that for long.
func TestOtherDatagramsAfterASilence(t *testing.T) {
	const datagrams, second, length = 54, 50, 60 // of DATA in a second, and bytes of each
	l := newLab(t, Lane{Mode: Reliable})
	l.Endpoint = New(Config{Table: l.table, Base: 1, Next: 1, Random: l.random, Datagrams: datagrams, Ceiling: second * length})
	for range 3 {
		l.later(time.Minute)
		l.ack(l.send(string(make([]byte, 1000))))
		left := 0
		for n := 0; left == 0 && n < 60*second; n++ {
			l.Sent(l.now, l.next, length)
			l.next++
			l.later(time.Second / second)
			if n == second {
				if _, err := l.Send(l.now, 0, []byte("m"), l); err != nil {
					t.Fatal(err)
				}
			}
			if len(l.flush()) > 0 {
				left = n
			}
		}
		if left == 0 || left > 5*second {
			t.Errorf("a message leaves after %d DATA, %d in a second", left, second)
		}
	}
}

// "As long as frames wait or are under way, a client MUST NOT send DATA beyond nine tenths; a second's
// worth may leave at once." PROTOCOL.md 16.9: an endpoint is given the nine tenths.
func TestDataGivesWay(t *testing.T) {
	const datagrams, bytes = 54, 9000
	for _, length := range []int{100, 1000} {
		l := newLab(t, Lane{Mode: Reliable})
		l.Endpoint = New(Config{Table: l.table, Base: 1, Next: 1, Random: l.random, Datagrams: datagrams, Ceiling: bytes})
		leave := func() (n int) {
			for ; !l.Yields(l.now, length) && n < 1000; n++ {
				l.Sent(l.now, l.next, length)
				l.next++
			}
			return n
		}
		most := min(datagrams, bytes/length)
		if n := leave(); n != 1000 {
			t.Errorf("%d leave where lanes are idle", n)
		}
		if _, err := l.Send(l.now, 0, []byte("m"), l); err != nil {
			t.Fatal(err)
		}
		var under []sentBody
		for _, state := range []string{"waits", "is under way"} {
			l.later(2 * time.Second)
			if state == "is under way" {
				under = l.flush()
			}
			if n := leave(); n != most {
				t.Errorf("what %s: %d of %d bytes leave at once, want %d", state, n, length, most)
			}
			l.later(time.Second/time.Duration(most) - time.Microsecond)
			early := leave()
			l.later(2 * time.Microsecond)
			if n := leave(); early != 0 || n != 1 {
				t.Errorf("what %s: %d and %d leave later, want none and 1", state, early, n)
			}
		}
		l.ack(under[0].seq)
		if n := leave(); n != 1000 {
			t.Errorf("%d leave where lanes are idle again", n)
		}
	}
}

// An honest peer acknowledges whatever was sent, be it before there was an endpoint or without its
// knowledge.
func TestAckOfWhatTheEndpointHasNotSeen(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	l.Endpoint = New(Config{Table: l.table, Base: 1, Next: 100, Random: l.random})
	l.next = 100
	for _, seq := range []uint64{1, 99} {
		if o := l.ack(seq); o != Accepted {
			t.Errorf("%d: %v", seq, o)
		}
	}
	l.next = 105 // DATA of which the endpoint was not told
	if o := l.ack(104); o != Accepted {
		t.Error(o)
	}
	if o := l.ack(105); o != Lied {
		t.Error(o)
	}
}

// The longest frame leaves beside the longest ACK that other frames leave room for.
func TestLongestFrameFits(t *testing.T) {
	l := newLab(t, Lane{Mode: Latest})
	l.sender(0).last = wire.MaxVarint - 1
	for i := range uint64(100) {
		l.peerSeq++
		l.frame(wire.Frame{Type: wire.FrameLatest, ID: i + 1})
	}
	if err := l.SendLatest(0, 1<<32-1, make([]byte, wire.MaxFragment)); err != nil {
		t.Fatal(err)
	}
	l.Tick(l.now, l)
	b, ok := l.Append(nil, l.now, l.next)
	if fs := framesOf(b); !ok || len(fs) != 2 || fs[0].Ack.Further < 10 || len(b) > wire.MaxBody || len(b) < wire.MaxBody-1 {
		t.Errorf("%d bytes, %d frames", len(b), len(framesOf(b)))
	}
}
