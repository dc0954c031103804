package session

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/token"
)

// Config decides who may join a server and what a session may do. The zero Config works: it admits
// every player with a valid identity token whose scope is the one the client asks for.
type Config struct {
	// Scope is the match that this server hosts. A token of another scope is refused. Empty means
	// that the token's own scope decides.
	Scope string

	// Authorize, when set, replaces the comparison of scopes: it is asked whenever a session is
	// opened, renewed, or resumed by a ticket, and learns which of these. An error refuses; a
	// Refusal says what the player is told, which is ReasonScope otherwise. A session that lives
	// here ends at once with that reason, unless it means "not now". Authorize runs where the
	// connection lives, on several goroutines at a time, so it must not block; it may call the
	// server and its Sessions.
	Authorize func(*Admission) error

	// MaxSessions is how many sessions may be live at once. Zero means DefaultMaxSessions, negative
	// means none. A player who comes back by a ticket whose session lives nowhere here finds a
	// sixteenth more: newcomers, who have taken the seats meanwhile, do not keep it out.
	MaxSessions int

	// MaxPerSubject is how many sessions of one player (issuer and subject) may be live at once.
	// Zero means DefaultMaxPerSubject, negative means any number. Beyond it the one gives way that
	// has been silent longest, if for two seconds or more; see PROTOCOL.md 5.6. A session that goes
	// on by its ticket is no new one.
	MaxPerSubject int

	// Replace has a session give way to a newcomer of the same player even if it is not silent,
	// unless it is younger than ten seconds: the oldest one. Without it such a newcomer is told
	// that the server is full.
	Replace bool

	// Window is the replay window in datagrams, 64 to 8,192 in multiples of 64. Zero means 1024;
	// negative is an error.
	Window int

	// Leeway is how long after its token's expiry a session goes on, for clocks that disagree: at
	// most token.MaxLeeway. Zero means none; negative is an error.
	Leeway time.Duration

	// Overlap is how long the previous epoch stays good after the first datagram of a new one. Zero
	// means 5 s; negative is an error.
	Overlap time.Duration

	// Idle ends a session from which nothing was accepted for so long. Zero means DefaultIdle;
	// negative is an error.
	Idle time.Duration

	// Behaviour bounds what a session may do: datagrams, bytes and state changes. Only datagrams
	// that have passed tag and window count, once each.
	Behaviour policy.BehaviourConfig

	// Cost, when set, says how many state changes a payload asks for; nil means that each is one.
	// Inspect, when set, is asked about each payload that Behaviour allows, before it is delivered:
	// the game's own anti-cheat. Both run where the connection lives, so they must not block, and
	// payload is borrowed.
	Cost    func(payload []byte) int
	Inspect func(s Session, payload []byte) policy.Verdict

	// Fingerprint says what happens when a player is no longer what the session is bound to.
	Fingerprint policy.FingerprintConfig

	// Unverified, when set, returns what an identity token claims without looking at its signature,
	// or why it would be refused all the same; token.Verifier has it. While a step up is owed, its
	// time stands still for a token that claims what the session needs and waits for its
	// verification. Nothing else depends on it. Nil means that each token may stop the time. It
	// runs where the connection lives, so it must not block. transport.Listen sets it.
	Unverified func(now time.Time, raw []byte) (*token.Claims, error)

	// MaxRevocations bounds the revocations that are remembered. Zero means 65,536; negative is an
	// error.
	MaxRevocations int

	// MaxBans bounds the bans that are remembered. Zero means 65,536; negative is an error.
	MaxBans int

	// Ping is how often the round trip to a player is measured. Zero means never; negative is an
	// error.
	Ping time.Duration

	// BadTags revokes a session after so many wrong tags in a row. Zero means 8; negative is an
	// error.
	BadTags int

	// AllowBearer lets clients send the identity token itself in every datagram. It costs bytes,
	// and a token that is shown to this server could be shown by it to another: use it for clients
	// that can do nothing else.
	AllowBearer bool

	// AllowUnbound accepts binding mode none, for engines whose DTLS hides the exporter. A session
	// is then bound to its connection by the record layer alone.
	AllowUnbound bool

	// FleetKeys seal the tickets by which sessions go on on other connections, and on other servers
	// that have the same keys. Without any there are no tickets.
	FleetKeys *fleetkey.Ring

	// Random is where ids and secrets come from; nil means crypto/rand. It must be safe for
	// concurrent use.
	Random io.Reader
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the
// field.
func (c Config) WithDefaults() (Config, error) {
	if err := notNegative(
		field{"Leeway", int64(c.Leeway)},
		field{"Overlap", int64(c.Overlap)},
		field{"Idle", int64(c.Idle)},
		field{"Ping", int64(c.Ping)},
		field{"BadTags", int64(c.BadTags)},
		field{"MaxRevocations", int64(c.MaxRevocations)},
		field{"MaxBans", int64(c.MaxBans)},
	); err != nil {
		return c, err
	}
	if c.Leeway > token.MaxLeeway {
		return c, badConfig(fmt.Sprintf("Leeway must be at most %v", token.MaxLeeway))
	}
	var err error
	if c.Behaviour, err = c.Behaviour.WithDefaults(); err != nil {
		return c, fmt.Errorf("%w: Behaviour: %w", ErrConfig, err)
	}
	if c.Fingerprint, err = c.Fingerprint.WithDefaults(); err != nil {
		return c, fmt.Errorf("%w: Fingerprint: %w", ErrConfig, err)
	}
	c.MaxSessions = cmp.Or(c.MaxSessions, DefaultMaxSessions)
	c.MaxPerSubject = cmp.Or(c.MaxPerSubject, DefaultMaxPerSubject)
	c.Window = cmp.Or(c.Window, defaultWindow)
	c.Overlap = cmp.Or(c.Overlap, defaultOverlap)
	c.Idle = cmp.Or(c.Idle, DefaultIdle)
	c.MaxRevocations = cmp.Or(c.MaxRevocations, defaultMaxRevocations)
	c.MaxBans = cmp.Or(c.MaxBans, defaultMaxBans)
	c.BadTags = cmp.Or(c.BadTags, defaultBadTags)
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return c, checkWindow(c.Window)
}
