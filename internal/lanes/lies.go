package lanes

import (
	"slices"

	"github.com/sallyport/sallyport/internal/wire"
)

const (
	leftOutKept = 16  // numbers left out that an ACK is compared with
	leftOutOf   = 256 // one number in as many is left out
	maxLies     = 3   // different ones that end the session
)

// The lies of a peer are acknowledgements of what was never sent.
type lies struct {
	out     [leftOutKept]uint64 // left out lately; zero where there is none
	next    uint8
	counted uint8
	above   [maxLies]uint64 // above the highest that was sent, already counted
}

// LeaveOut reports whether seq, the next sequence, is not to be used. The caller then asks again
// for the one after it.
func (e *Endpoint) LeaveOut(seq uint64) bool {
	if e.random()%leftOutOf != 0 {
		return false
	}
	e.lies.out[e.lies.next%leftOutKept] = seq
	e.lies.next++
	e.flight.next = max(e.flight.next, seq+1)
	return true
}

// check compares ranges with what was left out lately, since the last Resume.
func (l *lies) check(ranges []wire.Range) Outcome {
	outcome := Accepted
	for i, n := range l.out {
		if n == 0 {
			continue
		}
		for _, r := range ranges {
			if r.Low <= n && n <= r.High {
				l.out[i] = 0
				outcome = max(outcome, l.lied())
			}
		}
	}
	return outcome
}

// count counts the acknowledgement of a sequence above the highest.
func (l *lies) count(seq uint64) Outcome {
	if slices.Contains(l.above[:], seq) {
		return Lied
	}
	l.above[l.counted%maxLies] = seq
	return l.lied()
}

func (l *lies) lied() Outcome {
	if l.counted++; l.counted >= maxLies {
		l.counted = maxLies
		return Liar
	}
	return Lied
}
