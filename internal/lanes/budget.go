package lanes

import (
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// Budget returns how many bytes would leave now without waiting for the rate or for datagrams, after
// those that wait already. It may always be less than a long message takes, which may be sent while it
// is above 0. What waits for credit leaves its room to others. Who asks lets nothing wait, so here it
// is more than half a window under way that is noted as in want of a larger one.
func (e *Endpoint) Budget(now time.Duration) int {
	rtt := e.rtt.smoothed()
	e.pace.refill(now, rtt)
	limit, bytes := e.pace.limit(rtt), float64(e.flight.bytes)
	e.pace.blocked = e.pace.blocked || bytes > limit/2
	room := int(min(e.pace.tokens, limit-bytes))
	if e.pace.datagrams != 0 {
		room = min(room, e.slots(now)*wire.MaxFragment)
	}
	for i, s := range e.senders {
		if s == nil {
			continue
		}
		for m := s.resend.head; m != nil && room > 0; m = m.resendNext {
			room -= m.wanted()
		}
		if !e.sendable(i, s) {
			continue
		}
		for m := s.fresh; m != nil && room > 0; m = m.next {
			room -= m.unsent()
		}
	}
	return max(0, room)
}

// slots returns how many full datagrams have slots now. It is at least 1 while ACKs leave, since frames
// leave beside the next of them.
func (e *Endpoint) slots(now time.Duration) int {
	a := &e.arrivals
	acks := a.owed > 0 || a.alone != 0 && now-a.alone < maxTick
	switch {
	case e.pace.slots >= 1:
		return 1 + int((e.pace.slots-1)/e.pace.slotsOf(wire.MaxBody))
	case acks || e.pace.slotAt(now, e.rtt.smoothed()) <= now:
		return 1
	}
	return 0
}
