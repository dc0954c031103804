package policy

import (
	"cmp"
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
)

// BehaviourConfig bounds what one session may do. The zero value works; limits.go has every default
// with its reason. Rates and bursts are 1 to 1,000,000,000, thresholds 1 to 16,777,216.
// Negative values are errors.
type BehaviourConfig struct {
	// Datagrams is how many datagrams a session may send per second in the long run, and
	// DatagramBurst how many at once. Datagrams beyond that are dropped.
	Datagrams, DatagramBurst int

	// Bytes and ByteBurst bound the payload in the same way. A datagram longer than ByteBurst never
	// passes.
	Bytes, ByteBurst int

	// More than Flag state changes within a Window are recorded, more than Limit drop the datagram,
	// and more than Revoke end the session. Each is at least the one before.
	//
	// Datagrams that the path may have delayed raise Revoke for a while, by up to 10 s of the
	// stated rate: Datagrams a second with one state change each, or Flag in a Window where that is
	// more, for games whose payloads cost more than one, but never more than Limit.
	Flag, Limit, Revoke int

	// Window is the time over which state changes are counted, 16 ms to 1 minute; zero means
	// DefaultWindow.
	Window time.Duration

	// Derived by WithDefaults.
	datagrams, bytes bucket.Rate
	slot             int64 // ns; sixteen are a Window
	stated           int64 // state changes in a Window at the stated rate, in units
	silence          int64 // slots in maxSilence
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig
// and names the field.
func (c BehaviourConfig) WithDefaults() (BehaviourConfig, error) {
	c.Datagrams = cmp.Or(c.Datagrams, DefaultDatagrams)
	c.DatagramBurst = cmp.Or(c.DatagramBurst, DefaultDatagramBurst)
	c.Bytes = cmp.Or(c.Bytes, DefaultBytes)
	c.ByteBurst = cmp.Or(c.ByteBurst, DefaultByteBurst)
	c.Flag = cmp.Or(c.Flag, DefaultFlag)
	c.Limit = cmp.Or(c.Limit, DefaultLimit)
	c.Revoke = cmp.Or(c.Revoke, DefaultRevoke)
	c.Window = cmp.Or(c.Window, DefaultWindow)
	if err := c.check(); err != nil {
		return c, err
	}
	c.datagrams, c.bytes = bucket.PerSecond(c.Datagrams, c.DatagramBurst), bucket.PerSecond(c.Bytes, c.ByteBurst)
	c.slot = int64(c.Window / slots)
	c.stated = unit * min(max(int64(c.Datagrams)*int64(c.Window)/int64(time.Second), int64(c.Flag)), int64(c.Limit))
	c.silence = int64(maxSilence) / c.slot
	return c, nil
}

func (c *BehaviourConfig) check() error {
	switch {
	case min(c.Datagrams, c.DatagramBurst, c.Bytes, c.ByteBurst) < 1,
		max(c.Datagrams, c.Bytes) > bucket.MaxRate, max(c.DatagramBurst, c.ByteBurst) > bucket.MaxBurst:
		return configError("Datagrams, DatagramBurst, Bytes and ByteBurst must be 1 to 1000000000")
	case c.Flag < 1 || c.Flag > c.Limit || c.Limit > c.Revoke || c.Revoke > maxChanges:
		return configError("Flag, Limit and Revoke must rise in this order, from 1 to 16777216")
	case c.Window < minWindow || c.Window > maxWindow:
		return configError("Window must be 16 ms to 1 minute")
	}
	return nil
}
