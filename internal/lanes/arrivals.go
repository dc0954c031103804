package lanes

import (
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// The arrivals of an endpoint are the sequences it has accepted, and what it owes the peer of them.
type arrivals struct {
	base      uint64 // the first sequence that may be acknowledged
	known     uint64 // up to here the peer has seen what was reported
	highestAt time.Duration
	owedSince time.Duration // when the oldest eliciting datagram came that is not acknowledged
	alone     time.Duration // when the last datagram of nothing but ACK left
	owed      int           // eliciting datagrams that are not acknowledged
	got       recent
}

// open reports whether seq may still be accepted.
func (a *arrivals) open(seq uint64) bool { return seq >= a.base && !a.got.old(seq) && !a.got.has(seq) }

// accept marks seq, which is open.
func (a *arrivals) accept(now time.Duration, seq uint64, eliciting bool) {
	if seq > a.got.high {
		a.highestAt = now
	}
	a.got.add(seq)
	a.known = min(a.known, seq-1) // a late one: the peer has to hear of it
	if eliciting {
		if a.owed == 0 {
			a.owedSince = now
		}
		a.owed++
	}
}

// due returns when an ACK is due, and never if none is.
func (a *arrivals) due(delay time.Duration) time.Duration {
	switch a.owed {
	case 0:
		return never
	case 1:
		return a.owedSince + delay
	default:
		return max(a.owedSince, a.alone+ackSpacing)
	}
}

// ranges puts what has been accepted into dst, from the highest down, and stops at what the peer
// knows.
func (a *arrivals) ranges(dst []wire.Range) []wire.Range {
	low := max(a.base, a.known+1, 1)
	if a.got.high >= MaxWindow {
		low = max(low, a.got.high-MaxWindow+1)
	}
	for n := a.got.high; n >= low && len(dst) < cap(dst); {
		if !a.got.has(n) {
			n--
			continue
		}
		high := n
		for n >= low && a.got.has(n) {
			n--
		}
		dst = append(dst, wire.Range{Low: n + 1, High: high})
	}
	return dst
}
