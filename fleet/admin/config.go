package admin

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// ErrConfig is matched by the errors of Handler. The text names the field.
var ErrConfig = errors.New("admin: bad configuration")

// Server is the match server. A *transport.Server is one. Its methods are safe for concurrent use.
type Server interface {
	Stats() transport.Stats
	Visit(ctx context.Context, f func(*transport.Player) bool) error
	Bans(most int) []session.Ban
	Drain(ctx context.Context, to string) error
	Shutdown(ctx context.Context) error
	Revoker
}

// Revoker ends sessions and keeps players out. A *transport.Server does; so may what publishes to a
// whole fleet. Its methods are safe for concurrent use.
type Revoker interface {
	Revoke(r session.Revocation) (ended int, err error)
	Ban(b session.Ban) (ended int, err error)
	Lift(issuer, subject string) bool
}

// Feed publishes bans to a fleet. A *revocation.Feed does. Its methods are safe for concurrent use.
type Feed interface {
	Ban(b session.Ban) (ended int, err error)
	Lift(issuer, subject string) error
}

// Publisher publishes revocations, bans and their lifting to a fleet. A *revocation.Publisher does. Its
// methods are safe for concurrent use.
type Publisher interface {
	Feed
	Revoke(r session.Revocation) (ended int, err error)
}

// Identity says who calls. An *identity.Source does. It is safe for concurrent use.
type Identity interface {
	Peer(state tls.ConnectionState, roles ...identity.Role) (identity.Peer, error)
}

// Config says what is operated, and by whom. Identity is required, and so is one of Server,
// Publisher and Rotator.
type Config struct {
	// Server is the match server. Nil, with a Publisher or a Rotator, means that there is none in this
	// program: then the API has only the calls about revocations and bans of the fleet, and about
	// keys.
	Server Server

	// Identity says who calls, and what that service may do.
	Identity Identity

	// Revoker revokes, bans and lifts. Nil means Server: then the calls concern this server alone.
	Revoker Revoker

	// Feed, in place of Revoker, puts bans and lifts in force on every server of the fleet. A
	// *revocation.Feed does so for the bans of this server's own. Nil means Revoker.
	Feed Feed

	// Publisher, in place of Revoker and Feed, puts revocations, bans and lifts in force on every
	// server of the fleet by one call. The fleet's central *revocation.Publisher does so. It does not
	// know how many sessions end, or whether a player was banned: the answers are 0 and true. Nil
	// means Revoker and Feed.
	Publisher Publisher

	// Drain drains the server. Nil means one whose Authorize nobody uses: newcomers are admitted until
	// the server shuts down.
	Drain *Drain

	// Keys are the server's fleet keys, of which ids are shown; nil means that there are none. Rotator
	// rotates the keys of the fleet; nil means that they are rotated elsewhere.
	Keys    *fleetkey.Ring
	Rotator Rotator

	// Metrics serves /metrics; nil means that there is no such call.
	Metrics http.Handler

	// Pseudonym returns the name that the lines of the audit give a subject, as audit.Recent has it.
	// Nil means that sessions and bans have none, and cannot be looked for by it. It is safe for
	// concurrent use and does not wait.
	Pseudonym func(subject string) string

	// Issuer stands for one that a request does not name; empty means that it must name one.
	Issuer string

	// Ready returns an error while the server should get no new players; nil means never. While the
	// server drains it is not ready either. It must not wait.
	Ready func() error

	// PeerPerSecond is how many requests a second one service may make in the long run, and PerSecond
	// how many all services together; twice as many at once. Two a second of each service are answered
	// even then. Zero means 20 and 400, negative is an error.
	PeerPerSecond, PerSecond int

	// ShutdownTime is how long Server.Shutdown may take at the end of a drain. Zero means 5 s,
	// negative is an error.
	ShutdownTime time.Duration

	// OnCall, if set, is called for each call that was answered: with its operation as openapi.yaml
	// names it, empty for an unknown one, the status, and how long it took. It must not block.
	OnCall func(operation string, status int, took time.Duration)

	// Audit gets each call: who, what, outcome. Nil means that none is kept.
	Audit audit.Sink

	// Log gets what an operator has to know. Nil means none.
	Log *slog.Logger
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the
// field.
func (c Config) WithDefaults() (Config, error) {
	switch {
	case c.Server == nil && c.Publisher == nil && c.Rotator == nil:
		return c, fmt.Errorf("%w: Server is missing: give the transport.Server that is to be operated, a Publisher or a Rotator", ErrConfig)
	case c.Identity == nil:
		return c, fmt.Errorf("%w: Identity is missing: give the identity.Source that says who calls", ErrConfig)
	case c.PeerPerSecond < 0:
		return c, fmt.Errorf("%w: PeerPerSecond is negative: give requests a second, or 0 for %d", ErrConfig, defaultPeerPerSecond)
	case c.PerSecond < 0:
		return c, fmt.Errorf("%w: PerSecond is negative: give requests a second, or 0 for %d", ErrConfig, defaultPerSecond)
	case c.ShutdownTime < 0:
		return c, fmt.Errorf("%w: ShutdownTime is negative: give a duration, or 0 for %v", ErrConfig, defaultShutdown)
	}
	if c.Revoker == nil && c.Server != nil {
		c.Revoker = c.Server
	}
	if c.Drain == nil {
		c.Drain = new(Drain)
	}
	if c.Pseudonym == nil {
		c.Pseudonym = func(string) string { return "" }
	}
	if c.Audit == nil {
		c.Audit = audit.Tee()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.PeerPerSecond, c.PerSecond = cmp.Or(c.PeerPerSecond, defaultPeerPerSecond), cmp.Or(c.PerSecond, defaultPerSecond)
	c.ShutdownTime = cmp.Or(c.ShutdownTime, defaultShutdown)
	return c, nil
}
