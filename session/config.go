package session

import (
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/sallyport/sallyport/replay"
	"github.com/sallyport/sallyport/token"
)

// Config says whom a Gate lets in and what a session may do. The zero Config
// works: it admits whoever has a valid identity token whose scope is the one
// the client asks for.
type Config struct {
	// Scope is the match that this server hosts. A token of another scope is
	// refused. Empty means that the token's own scope decides.
	Scope string

	// Authorize, when set, replaces the comparison of scopes: it is given the
	// verified claims and the scope that the client asked for. It runs where
	// the connection lives, so it must not block.
	Authorize func(claims *token.Claims, scope string) error

	// MaxSessions is how many sessions may be live at once; zero means
	// DefaultMaxSessions, negative means none.
	MaxSessions int

	// Window is the replay window in datagrams, 64 to 8,192 in multiples of
	// 64; zero means DefaultWindow.
	Window int

	// Leeway is how long after its token's expiry a session goes on, for clocks
	// that disagree; at most token.MaxLeeway.
	Leeway time.Duration

	// Overlap is how long the previous epoch stays good after the first
	// datagram of a new one; zero means DefaultOverlap.
	Overlap time.Duration

	// Idle ends a session from which nothing was accepted for so long; zero
	// means DefaultIdle.
	Idle time.Duration

	// Rate and Burst bound a session's accepted datagrams: per second in the
	// long run, and at once. Zero means DefaultRate and DefaultBurst.
	Rate, Burst int

	// BadTags revokes a session after so many wrong tags in a row; zero means
	// DefaultBadTags.
	BadTags int

	// AllowBearer lets clients send the identity token itself in every
	// datagram. It costs bytes, and a token that is shown to this server could
	// be shown by it to another: use it for clients that can do nothing else.
	AllowBearer bool

	// AllowUnbound accepts binding mode none, for engines whose DTLS hides the
	// exporter. A session is then bound to its connection by the record layer
	// alone.
	AllowUnbound bool

	// Random is where ids and secrets come from; nil means crypto/rand. It must
	// be safe for concurrent use.
	Random io.Reader
}

// ErrBusy is what to hand to Verified when no verification could be started:
// the client is told to come again.
var ErrBusy = errors.New("session: too many verifications at once")

var errConfig = errors.New("session: Window must be a multiple of 64 from 64 to 8192, Leeway at most 30 s; Leeway, Overlap, Idle, Rate, Burst and BadTags must not be negative")

// withDefaults fills in what is zero and refuses what makes no sense.
func (c Config) withDefaults() (Config, error) {
	if c.Leeway < 0 || c.Leeway > token.MaxLeeway || c.Overlap < 0 || c.Idle < 0 ||
		c.Rate < 0 || c.Burst < 0 || c.BadTags < 0 {
		return c, errConfig
	}
	c.MaxSessions = or(c.MaxSessions, DefaultMaxSessions)
	c.Window = or(c.Window, DefaultWindow)
	c.Overlap = or(c.Overlap, DefaultOverlap)
	c.Idle = or(c.Idle, DefaultIdle)
	c.Rate = or(c.Rate, DefaultRate)
	c.Burst = or(c.Burst, DefaultBurst)
	c.BadTags = or(c.BadTags, DefaultBadTags)
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if _, err := replay.Size(c.Window); err != nil {
		return c, errConfig
	}
	return c, nil
}

func or[T int | time.Duration](v, zero T) T {
	if v == 0 {
		return zero
	}
	return v
}
