package revocation

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/token"
)

// PublisherConfig configures a Publisher. Key, Dir and Carrier are required.
type PublisherConfig struct {
	// Name is the publisher's in the log, at most 64 bytes.
	Name string

	// Key signs. No other process may use it.
	Key SigningKey

	// Dir is the directory of the publisher's own store. It is made if it is missing, mode 0700, and
	// belongs to one process at a time. A publisher that has lost it begins a new epoch: what
	// servers have applied stays in force there.
	Dir string

	// Carrier takes what is published.
	Carrier Carrier

	// TokenLife is how long the longest-lived identity token of the fleet lives, with leeway: until
	// then revocations are announced. Zero means 24 h and 5 min, the longest that Sallyport accepts;
	// negative is an error.
	TokenLife time.Duration

	// Heartbeat is how often a signed head says that nothing is missing, and Announce how often
	// everything in force is stored in the carrier again. Zero means 1 s and 30 s; negative is an
	// error.
	Heartbeat, Announce time.Duration

	// Logger, if set, gets what an operator should know.
	Logger *slog.Logger
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the
// field.
func (c PublisherConfig) WithDefaults() (PublisherConfig, error) {
	switch {
	case c.Key.signer == nil:
		return c, badConfig("Key is missing: GenerateSigningKey makes one")
	case c.Dir == "":
		return c, badConfig("Dir is missing: give the publisher a directory that outlives the process")
	case c.Carrier == nil:
		return c, badConfig("Carrier is missing")
	case len(c.Name) > maxName:
		return c, badConfig("Name has more than %d bytes", maxName)
	case min(c.TokenLife, c.Heartbeat, c.Announce) < 0:
		return c, badConfig("TokenLife, Heartbeat and Announce must not be negative")
	}
	c.TokenLife = cmp.Or(c.TokenLife, token.LongestLife+token.MaxLeeway)
	c.Heartbeat = cmp.Or(c.Heartbeat, DefaultHeartbeat)
	c.Announce = cmp.Or(c.Announce, DefaultAnnounce)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
