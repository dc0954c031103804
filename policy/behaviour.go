package policy

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
)

const (
	// defaultDatagrams is twice the fastest tick in use (128 Hz).
	defaultDatagrams = 256

	// defaultDatagramBurst is four seconds at 128 Hz, since a stalled path delivers in clumps.
	defaultDatagramBurst = 512

	// defaultBytes: 1,145 bytes in each of 128 datagrams are 143 KiB.
	defaultBytes = 256 << 10

	// defaultByteBurst is three and a half seconds of those.
	defaultByteBurst = 512 << 10

	// A player who changes state 128 times a second over a path that stalls for 2 s delivers at
	// most 128 · (2 s + 1 s) = 384 changes in any second. The usual 60 a second make 180. A bot's
	// 800 to 2,000 a second stand out.

	// defaultFlag is more than a clump at 60 Hz, and than two seconds at 128 Hz.
	defaultFlag = 256

	// defaultLimit is more than any clump at 128 Hz.
	defaultLimit = 400

	// defaultRevoke is a fifth more than such a clump, and nearly twice defaultDatagrams. Datagrams
	// that the path has delayed for longer than 2 s raise it (internal/behaviour). A bot is out
	// within 0.61 s at 800 changes a second, and within 0.25 s at 2,000.
	defaultRevoke = 480

	// defaultWindow is the second that the numbers above are about.
	defaultWindow = time.Second

	// minWindow keeps a sixteenth of a Window at 1 ms; maxWindow is where a rate is no behaviour any
	// more.
	minWindow, maxWindow = 16 * time.Millisecond, time.Minute

	// maxChanges bounds thresholds, so that internal/behaviour counts in 32 bits.
	maxChanges = 1 << 24
)

// BehaviourConfig bounds what one session may do. The zero value works. Each field says what zero
// means; negative values are errors.
type BehaviourConfig struct {
	// Datagrams is how many datagrams a session may send per second in the long run, and
	// DatagramBurst how many at once: 1 to 1,000,000,000 each. Datagrams beyond that are dropped.
	// Zero means 256 and 512: twice the fastest tick in use, and four seconds of it.
	Datagrams, DatagramBurst int

	// Bytes and ByteBurst bound the bytes of payload in the same way: 1 to 1,000,000,000 each. A
	// datagram longer than ByteBurst never passes. Zero means 262,144 and 524,288.
	Bytes, ByteBurst int

	// More than Flag state changes within a Window are recorded, more than Limit drop the datagram,
	// and more than Revoke end the session: 1 to 16,777,216 each, and each at least the one before.
	// Zero means 256, 400 and 480, so set all three if you set one: with a Limit of 100, Flag has
	// to be at most 100, too.
	//
	// Datagrams that the path may have delayed raise Revoke for a while, by the state changes of up to
	// 10 s: at Datagrams a second with one state change each, or at Flag in a Window if that is more,
	// as in games whose payloads cost more than one; but never at more than Limit in a Window.
	Flag, Limit, Revoke int

	// Window is the time over which state changes are counted, 16 ms to 1 minute. Zero means 1 s.
	Window time.Duration
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the
// field.
func (c BehaviourConfig) WithDefaults() (BehaviourConfig, error) {
	c.Datagrams = cmp.Or(c.Datagrams, defaultDatagrams)
	c.DatagramBurst = cmp.Or(c.DatagramBurst, defaultDatagramBurst)
	c.Bytes = cmp.Or(c.Bytes, defaultBytes)
	c.ByteBurst = cmp.Or(c.ByteBurst, defaultByteBurst)
	c.Flag = cmp.Or(c.Flag, defaultFlag)
	c.Limit = cmp.Or(c.Limit, defaultLimit)
	c.Revoke = cmp.Or(c.Revoke, defaultRevoke)
	c.Window = cmp.Or(c.Window, defaultWindow)
	return c, c.check()
}

func (c *BehaviourConfig) check() error {
	switch {
	case min(c.Datagrams, c.DatagramBurst, c.Bytes, c.ByteBurst) < 1,
		max(c.Datagrams, c.Bytes) > bucket.MaxRate, max(c.DatagramBurst, c.ByteBurst) > bucket.MaxBurst:
		return configError("Datagrams, DatagramBurst, Bytes and ByteBurst must be 1 to 1000000000")
	case c.Flag < 1 || c.Flag > c.Limit || c.Limit > c.Revoke || c.Revoke > maxChanges:
		return configError(fmt.Sprintf("Flag, Limit and Revoke are %d, %d and %d (zero means %d, %d and %d): set all three, "+
			"from 1 to %d, each at least the one before", c.Flag, c.Limit, c.Revoke, defaultFlag, defaultLimit, defaultRevoke, maxChanges))
	case c.Window < minWindow || c.Window > maxWindow:
		return configError("Window must be 16 ms to 1 minute")
	}
	return nil
}
