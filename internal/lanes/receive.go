package lanes

import (
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// Outcome is what became of a datagram.
type Outcome uint8

// The outcomes, in the order of their weight. From Overrun on the session is to be revoked.
const (
	Accepted  Outcome = iota // everything in it took effect, and it will be acknowledged
	Refused                  // something in it came too late or has no room: it is not acknowledged
	Malformed                // nothing of it took effect, or it contradicts what came before
	Lied                     // it acknowledges what was never sent; nothing of it took effect
	Overrun                  // a message was begun beyond the credit
	TooFar                   // an id is beyond the window of its lane
	Liar                     // the third lie
)

var outcomeNames = [...]string{"accepted", "refused", "malformed", "lied", "overrun", "too far", "liar"}

// String returns the outcome's name.
func (o Outcome) String() string { return outcomeNames[o] }

// Revokes reports whether the peer has broken a rule that no honest one can break.
func (o Outcome) Revokes() bool { return o >= Overrun }

// Check reports whether body is well formed for these lanes. It changes nothing.
func (t *Table) Check(body []byte) bool {
	r := wire.NewFrames(body)
	var f wire.Frame
	for r.Next(&f) {
		if f.Type != wire.FrameAck && !t.allows(&f) {
			return false
		}
	}
	return !r.Malformed()
}

// allows reports whether a lane exists and has such frames.
func (t *Table) allows(f *wire.Frame) bool {
	if int(f.Lane) >= len(t.lanes) {
		return false
	}
	l := &t.lanes[f.Lane]
	switch f.Type {
	case wire.FrameWhole, wire.FrameFragment:
		return l.Mode != Latest && int(f.Total) <= l.MaxMessage
	case wire.FrameParity:
		return int(f.Index) < l.Parity && int(f.Total) <= l.MaxMessage
	case wire.FrameLatest:
		return l.Mode == Latest && int(f.Total) <= l.MaxMessage
	case wire.FrameSkip, wire.FrameCredit:
		return l.Mode.repeats()
	}
	return false
}

// Note takes that a datagram of another kind than FRAMES was accepted under seq. It is reported to
// the peer, and elicits nothing.
func (e *Endpoint) Note(now time.Duration, seq uint64) {
	if e.arrivals.open(seq) {
		e.accept(now, seq, false)
	}
}

// accept marks seq, which is open. An ACK that left before a late one has not reported it.
func (e *Endpoint) accept(now time.Duration, seq uint64, eliciting bool) {
	if seq < e.arrivals.got.high {
		e.flight.unreported(seq)
	}
	e.arrivals.accept(now, seq, eliciting)
}

// Receive takes the body of FRAMES that came under seq and passed Check. What is acknowledged took
// effect; of a datagram that is refused a part may have taken effect, which its repetition will find
// done. The session's highest sequence sent so far, of whatever kind, is what an ACK is measured by.
func (e *Endpoint) Receive(now time.Duration, seq, sent uint64, body []byte, sink Sink) Outcome {
	e.flight.next = max(e.flight.next, sent+1)
	if !e.arrivals.open(seq) {
		return Refused
	}
	e.lean = false
	e.bodies++
	outcome, eliciting := Accepted, false
	r := wire.NewFrames(body)
	var f wire.Frame
	for r.Next(&f) {
		o := Accepted
		switch f.Type {
		case wire.FrameAck:
			if o = e.acknowledge(now, &f.Ack, sink); o != Accepted {
				return o
			}
			continue
		case wire.FrameCredit:
			s := e.sender(int(f.Lane))
			s.credit = max(s.credit, f.Bytes)
		case wire.FrameSkip:
			o = e.takeSkip(&f, sink)
		case wire.FrameLatest:
			o = e.takeLatest(&f, sink)
		default:
			o = e.take(&f, sink)
		}
		eliciting = true
		if outcome = max(outcome, o); o > Refused {
			return o
		}
	}
	if outcome == Accepted {
		e.accept(now, seq, eliciting)
	}
	return outcome
}

// take takes WHOLE, FRAGMENT or PARITY.
func (e *Endpoint) take(f *wire.Frame, sink Sink) Outcome {
	if e.table.lanes[f.Lane].Mode.repeats() {
		return e.takeReliable(f, sink)
	}
	return e.takeLoose(f, sink)
}
