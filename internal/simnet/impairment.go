package simnet

import (
	"math/rand/v2"
	"time"
)

// Impairment is what a link does to datagrams. Shares are probabilities from 0 to 1, drawn independently for each
// datagram. The zero value delivers at once and unharmed.
type Impairment struct {
	Latency   time.Duration // one way
	Jitter    time.Duration // most that is added to Latency, drawn evenly; it never reorders a link
	Loss      float64       // share that does not arrive
	Duplicate float64       // share that arrives twice, the copy in order and right behind
	Reorder   float64       // share that the next datagram of the link overtakes, or that is 100 ms late if none comes
	Corrupt   float64       // share that arrives with one bit flipped
}

// fate is what happens to one datagram.
type fate struct {
	lost, twice, held, flipped bool

	delay time.Duration
	bit   int // the one to flip, if flipped
}

// roll draws the fate of a datagram of size bytes, with six draws whatever the outcome.
func (im Impairment) roll(r *rand.Rand, size int) fate {
	return fate{
		lost:    r.Float64() < im.Loss,
		twice:   r.Float64() < im.Duplicate,
		held:    r.Float64() < im.Reorder,
		flipped: r.Float64() < im.Corrupt && size > 0,
		delay:   im.Latency + time.Duration(r.Float64()*float64(im.Jitter)),
		bit:     int(r.Float64() * float64(size*8)),
	}
}

// Stats counts what happened to datagrams. Once nothing is in flight,
// Sent + Duplicated = Delivered + Refused + Lost + Unreachable + Overflowed.
type Stats struct {
	Sent        uint64 // written or injected
	Delivered   uint64 // put into a receive queue, or written to the real socket
	Refused     uint64 // by the tap
	Lost        uint64 // by Impairment.Loss
	Duplicated  uint64 // copies made
	Reordered   uint64 // held back for the next datagram
	Corrupted   uint64 // bits flipped
	Unreachable uint64 // no such address, or closed before they were due
	Overflowed  uint64 // receive queue full
}
