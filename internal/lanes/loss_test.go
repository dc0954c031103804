package lanes

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// A datagram is lost when three later ones have been acknowledged, not when two have.
//
// "the highest acknowledged was sent three or more datagrams later" PROTOCOL.md 16.9
// "What an ACK does not name is not known to have arrived; it MUST NOT count as lost for that
// alone." PROTOCOL.md 16.8
// "What was lost and is still wanted MUST go into another datagram, under a number of its own"
// PROTOCOL.md 16.9
func TestLossByPackets(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	l.measure()
	l.send("first")
	var later []uint64
	for range 3 {
		later = append(later, l.send("later"))
	}
	l.later(100 * time.Millisecond)
	l.ack(later[:2]...)
	if l.wants("first") {
		t.Error("after two")
	}
	l.ack(later...)
	if !l.wants("first") {
		t.Error("not after three")
	}
	if n, _ := l.Lost(); n != 1 {
		t.Errorf("%d lost", n)
	}
}

// With one later one, it is lost an eighth of an RTT after its acknowledgement was to be expected.
//
// "or an RTT and an eighth have passed since the datagram was sent" PROTOCOL.md 16.9
func TestLossByTime(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	l.measure()
	l.send("first")
	s := l.send("later")
	l.later(100 * time.Millisecond)
	l.ack(s)
	if d := l.Deadline(l.now); d != l.now+12500*time.Microsecond {
		t.Errorf("deadline in %v", d-l.now)
	}
	l.later(12 * time.Millisecond)
	if l.wants("first") {
		t.Error("too early")
	}
	l.later(time.Millisecond)
	if !l.wants("first") {
		t.Error("not lost")
	}
}

// What comes after it had been counted as lost widens both thresholds, and quiet narrows them again.
//
// "Both SHOULD widen when one that had been counted as lost arrives." PROTOCOL.md 16.9
func TestReorderingWidens(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable, Receipts: true})
	l.measure()
	first := l.send("first")
	var later []uint64
	for range 10 {
		later = append(later, l.send("later"))
	}
	l.later(100 * time.Millisecond)
	l.ack(later...)
	l.flush() // sent again
	l.later(30 * time.Millisecond)
	l.ack(first)
	if n, share := l.Lost(); n != 0 || share > 0.001 {
		t.Errorf("%d lost, %.3f", n, share)
	}
	if r := l.flight.reorder; r.packets < 10 || r.extra < 30*time.Millisecond || r.extra > 100*time.Millisecond {
		t.Errorf("%+v", r)
	}
	first = l.send("second")
	later = nil
	for range 5 {
		later = append(later, l.send("later"))
	}
	l.later(100 * time.Millisecond)
	l.ack(later...)
	if l.wants("second") {
		t.Error("lost in spite of the proof")
	}
	l.ack(first)
	for range 2 * keepWide {
		s := l.send("x")
		l.later(100 * time.Millisecond)
		l.ack(s)
	}
	if r := l.flight.reorder; r.packets != packetThreshold || r.extra != 0 {
		t.Errorf("still %+v", r)
	}
}

// The window of reordering never exceeds an RTT.
func TestReorderingIsBounded(t *testing.T) {
	var r reorder
	r.begin()
	r.late(1<<20, time.Hour, 50*time.Millisecond)
	if r.packets != maxThreshold || r.window(50*time.Millisecond) != 50*time.Millisecond {
		t.Errorf("%+v", r)
	}
}

// In silence probes leave: the first after SRTT + 4 variances + the peer's delay, then twice as late
// each time, up to a second; an acknowledgement resets that.
//
// "a sender SHOULD send what is oldest again in one or two datagrams, and then wait twice as long
// each time, but no longer than a second" PROTOCOL.md 16.9
func TestProbes(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	l.measure()
	_, variance := l.RTT()
	wait := 100*time.Millisecond + max(4*variance, time.Millisecond) + 16*time.Millisecond
	l.send("tail")
	for _, factor := range []time.Duration{1, 2, 4, 8, 16, 32} {
		want := min(factor*wait, time.Second)
		if d := l.Deadline(l.now) - l.now; d != want {
			t.Fatalf("probe %d in %v, want %v", factor, d, want)
		}
		l.later(want - 1)
		if len(l.flush()) != 0 {
			t.Fatal("too early")
		}
		l.later(1)
		if out := l.flush(); len(out) != 1 || string(out[0].frames[0].Data) != "tail" {
			t.Fatalf("%+v", out)
		}
	}
	l.ack(l.next - 1)
	if !l.Idle() || l.flight.eliciting != 0 || l.flight.backoff != 0 {
		t.Errorf("%d under way, %d probes", l.flight.eliciting, l.flight.backoff)
	}
}

// A tail of unreliable messages is not probed: it counts as lost.
//
// "A sender SHOULD NOT send frames of modes 1 and 2 again: what is lost is stale." PROTOCOL.md
// 16.9
func TestProbeOfUnreliable(t *testing.T) {
	l := newLab(t, Lane{Mode: Unreliable, Receipts: true})
	l.send("tail")
	l.now = l.Deadline(l.now)
	if out := l.flush(); len(out) != 0 || l.flight.bytes != 0 {
		t.Errorf("%+v, %d bytes under way", out, l.flight.bytes)
	}
	if arrived, ok := l.receipts[1]; !ok || arrived {
		t.Error("no receipt")
	}
}

// The peer's delay shortens a sample, at most by what it has stated, and never below the smallest.
//
// "The receiver of an ACK MUST NOT take off a sample of the RTT more than the delay that the other
// end has stated as its largest, nor so much that less than the smallest sample is left."
// PROTOCOL.md 16.8
func TestDelayOfAcknowledgement(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	l.measure()
	s := l.send("x")
	l.later(110 * time.Millisecond)
	b, _ := wire.AppendAck(nil, []wire.Range{{Low: s, High: s}}, 10*time.Millisecond, wire.MaxBody)
	l.take(b)
	if got := l.rtt.latest; got < 100*time.Millisecond || got > 100*time.Millisecond+64*time.Microsecond {
		t.Errorf("%v", got)
	}
	s = l.send("x")
	l.later(150 * time.Millisecond)
	b, _ = wire.AppendAck(nil, []wire.Range{{Low: s, High: s}}, time.Hour, wire.MaxBody)
	l.take(b)
	if got := l.rtt.latest; got != 134*time.Millisecond {
		t.Errorf("%v", got)
	}
	s = l.send("x")
	l.later(101 * time.Millisecond)
	b, _ = wire.AppendAck(nil, []wire.Range{{Low: s, High: s}}, 16*time.Millisecond, wire.MaxBody)
	l.take(b)
	if got := l.rtt.latest; got != 101*time.Millisecond {
		t.Errorf("%v", got)
	}
}
