package policy

import (
	"cmp"

	"github.com/sallyport/sallyport/internal/bucket"
)

const (
	// defaultPerSecond is WireGuard's 20 for one address.
	defaultPerSecond = 20

	// defaultBurst is a LAN party of 40 players. WireGuard allows 5; here all players behind one NAT
	// return within a second when a server restarts.
	defaultBurst = 40

	// defaultUnproven allows 40 new clients a second at 200 ms, since a cookie is back within a
	// round trip.
	defaultUnproven = 8

	// maxUnproven bounds Unproven, so that the /48's sixteen times as many fit into 32 bits.
	maxUnproven = 1 << 24

	// defaultMaxSources takes 25 bytes each: 1.6 MB for a whole server. A flood from more of them
	// than that within a window (2 s) gains fresh bursts, and meets the handshake budget of the whole
	// server.
	defaultMaxSources = 65536

	// maxMaxSources bounds MaxSources: 420 MB.
	maxMaxSources = 1 << 24
)

// SourceConfig bounds the handshakes that a source prefix may begin: an IPv4 /24 or an IPv6 /64.
// The IPv6 /56 around it may begin 4 times as many, and the /48 16 times. The zero value works. Each
// field says what zero means; negative values are errors.
type SourceConfig struct {
	// PerSecond is how many handshakes may begin a second in the long run, and Burst how many at
	// once: 1 to 1,000,000,000 each. Zero means 20 and 40.
	PerSecond, Burst int

	// Unproven is how many handshakes at once may not have returned their cookie, 1 to 16,777,216.
	// Zero means 8.
	Unproven int

	// MaxSources is how many prefixes are remembered, 1 to 16,777,216, rounded up to a multiple of 8.
	// Zero means 65,536, which take 1.6 MB.
	MaxSources int
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the
// field.
func (c SourceConfig) WithDefaults() (SourceConfig, error) {
	c.PerSecond = cmp.Or(c.PerSecond, defaultPerSecond)
	c.Burst = cmp.Or(c.Burst, defaultBurst)
	c.Unproven = cmp.Or(c.Unproven, defaultUnproven)
	c.MaxSources = cmp.Or(c.MaxSources, defaultMaxSources)
	switch {
	case min(c.PerSecond, c.Burst) < 1, c.PerSecond > bucket.MaxRate, c.Burst > bucket.MaxBurst:
		return c, configError("PerSecond and Burst must be 1 to 1000000000")
	case c.Unproven < 1 || c.Unproven > maxUnproven:
		return c, configError("Unproven must be 1 to 16777216")
	case c.MaxSources < 1 || c.MaxSources > maxMaxSources:
		return c, configError("MaxSources must be 1 to 16777216")
	}
	return c, nil
}
