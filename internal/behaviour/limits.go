package behaviour

import (
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
	"github.com/sallyport/sallyport/policy"
)

const (
	// maxSilence is how long a path may delay what is sent at the stated rate: longer than any path
	// does that recovers at all. That is 2,560 state changes, or what a player at 128 Hz sends in
	// 20 s.
	maxSilence = 10 * time.Second

	// unit is how many units a state change has where rates and credit are kept: it is usualFall
	// that needs them.
	unit = 1 << usualFall

	// usualFall and creditFall are decay rates, as powers of two. The usual rate falls towards that
	// of the last Window by 1/8192 of the difference in each slot; credit beyond what the usual
	// rate explains falls by 1/256. The rate is halved in 6 minutes, which is longer than a bad
	// path lasts; the credit in 11 s, in which a path delivers what it has delayed.
	usualFall, creditFall = 13, 8

	// slots is how many parts of a window are counted apart: 64 bytes a session, and a count that
	// is 1/16 of a window short at most. The shortest Window makes a slot 1 ms.
	slots = 16

	// maxChanges is the highest threshold, and one more than it bounds a slot, so that sixteen slots
	// stay below 2^29.
	maxChanges = 1 << 24

	// maxPayload is the longest UDP datagram in bytes.
	maxPayload = 65535
)

// Limits are a policy.BehaviourConfig and what Observe computes with. They are constant, and shared
// by the sessions of a server. The zero Limits let no datagram pass.
type Limits struct {
	policy.BehaviourConfig

	datagrams, bytes bucket.Rate
	slot             int64 // ns; sixteen are a Window
	stated           int64 // state changes in a Window at the stated rate, in units
	silence          int64 // slots in maxSilence
}

// NewLimits returns the limits that c sets, with its zero values filled in. The error is that of
// WithDefaults.
func NewLimits(c policy.BehaviourConfig) (*Limits, error) {
	c, err := c.WithDefaults()
	if err != nil {
		return nil, err
	}
	l := &Limits{
		BehaviourConfig: c,
		datagrams:       bucket.PerSecond(c.Datagrams, c.DatagramBurst),
		bytes:           bucket.PerSecond(c.Bytes, c.ByteBurst),
		slot:            int64(c.Window / slots),
		stated:          unit * min(max(int64(c.Datagrams)*int64(c.Window)/int64(time.Second), int64(c.Flag)), int64(c.Limit)),
	}
	l.silence = int64(maxSilence) / l.slot
	return l, nil
}
