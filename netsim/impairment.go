package netsim

import (
	"math/rand/v2"
	"time"
)

// Impairment is what one direction of a network does to datagrams. Shares are probabilities from 0
// to 1, drawn independently for each datagram. The zero value delivers at once and unharmed, and a
// field that is zero does nothing, but for Queue. Nothing may be negative.
type Impairment struct {
	Latency   time.Duration // one way, at most MaxDelay
	Jitter    time.Duration // most that is added to Latency, drawn evenly; it never reorders a link
	Loss      float64       // share that does not arrive
	Duplicate float64       // share that arrives twice, the copy in order and right behind
	Reorder   float64       // share that the next datagram of the link overtakes, or that is 100 ms late if none comes
	Late      time.Duration // how late that share is instead, whoever overtakes it, at most MaxDelay
	Corrupt   float64       // share that arrives with one bit flipped

	// Bandwidth is that of a bottleneck, in bits a second, at most MaxBandwidth; zero means that
	// there is none. A datagram takes as long as its IP packet has bits: 28 bytes more than its
	// payload over IPv4, 48 more over IPv6. Latency is added to that.
	Bandwidth int64

	// Queue is the longest time that a datagram waits for those before it at the bottleneck, at most
	// MaxDelay; zero means DefaultQueue. One that would wait longer is dropped, and counted as
	// Stats.TailDropped. In bytes, the queue holds Bandwidth × Queue / 8. Without Bandwidth, Queue
	// has no effect.
	Queue time.Duration
}

// WithDefaults returns im with zero values filled in. The error matches ErrConfig and names the
// field.
func (im Impairment) WithDefaults() (Impairment, error) {
	if err := im.check(); err != nil {
		return im, err
	}
	switch {
	case im.Bandwidth == 0:
		im.Queue = 0
	case im.Queue == 0:
		im.Queue = DefaultQueue
	}
	return im, nil
}

func (im Impairment) check() error {
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"Latency", im.Latency}, {"Jitter", im.Jitter}, {"Late", im.Late}, {"Queue", im.Queue}} {
		if d.value < 0 || d.value > MaxDelay {
			return configError("%s %v: must be 0 to %v", d.field, d.value, MaxDelay)
		}
	}
	for _, s := range []struct {
		field string
		share float64
	}{{"Loss", im.Loss}, {"Duplicate", im.Duplicate}, {"Reorder", im.Reorder}, {"Corrupt", im.Corrupt}} {
		if !(s.share >= 0 && s.share <= 1) { // NaN is neither
			return configError("%s %v: is a share, 0 to 1", s.field, s.share)
		}
	}
	if im.Bandwidth < 0 || im.Bandwidth > MaxBandwidth {
		return configError("Bandwidth %d: must be 0 to %d bits a second", im.Bandwidth, int64(MaxBandwidth))
	}
	return nil
}

// fate is what happens to one datagram.
type fate struct {
	lost, twice, held, flipped bool

	delay time.Duration
	late  time.Duration // if held: zero means until the next datagram
	bit   int           // the one to flip, if flipped
}

// roll draws the fate of a datagram of size bytes, with six draws whatever the outcome.
func (im Impairment) roll(r *rand.Rand, size int) fate {
	return fate{
		lost:    r.Float64() < im.Loss,
		twice:   r.Float64() < im.Duplicate,
		held:    r.Float64() < im.Reorder,
		flipped: r.Float64() < im.Corrupt && size > 0,
		delay:   im.Latency + time.Duration(r.Float64()*float64(im.Jitter)),
		late:    im.Late,
		bit:     int(r.Float64() * float64(size*8)),
	}
}
