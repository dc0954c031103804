package gateway

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/transport"
)

// Defaults. Each states its unit and its reason.
const (
	// DefaultListen is the UDP address for players, DefaultStatus the HTTP address of health checks and
	// metrics, and DefaultAdmin the address of the admin API, behind mutual TLS.
	DefaultListen = ":7777"
	DefaultStatus = ":7780"
	DefaultAdmin  = ":7781"

	// DefaultHold is how long players stay while the backend is gone: a process restarts in that time,
	// and a player who waits longer has left already.
	DefaultHold = 10 * time.Second

	// DefaultMaxPlayers is the largest number of players of a gateway: those of one game process.
	DefaultMaxPlayers = 1000

	// DefaultShutdown is how long players are told that the gateway ends.
	DefaultShutdown = 5 * time.Second
)

// Config says who may play, and which game. Backend, Transport.Certificate and Transport.Verifier
// are required.
type Config struct {
	// Listen is the UDP address for players; empty means DefaultListen.
	Listen string

	// Transport is the players' end: certificate, verifier, sessions, lanes, audit. The gateway adds its
	// own rules before those of Session.Authorize and Session.Inspect, which stay. Session.MaxSessions
	// has to leave room for MaxPlayers. Not every Backend goes with a Snapshot.
	Transport transport.Config

	// Backend is the game. The gateway closes it, unless New returns an error.
	Backend Backend

	// MaxPlayers is how many may play at once. Zero means DefaultMaxPlayers; negative, or more than
	// 60,000, is an error. SetLimits replaces it.
	MaxPlayers int

	// Hold is how long players stay while Backend.Ready returns an error. Zero means DefaultHold;
	// negative is an error. SetLimits replaces it.
	Hold time.Duration

	// Shutdown is how long Serve tells players that it ends. Zero means DefaultShutdown; negative is an
	// error.
	Shutdown time.Duration

	// Remote lets other machines read /metrics; /live and /ready answer everybody.
	Remote bool

	// Hosts are names under which /metrics may be asked for besides localhost and IP addresses, without a
	// port.
	Hosts []string

	// Metrics are collected beside those of the transport server and the gateway: those of a backend,
	// for instance.
	Metrics []prometheus.Collector

	// Draining, if set, reports whether somebody else has begun to drain the server, as an admin.Drain
	// does: then the gateway is not ready. It must not wait.
	Draining func() bool

	// Log gets what an operator has to know. Nil means none.
	Log *slog.Logger
}

// Limits are what SetLimits replaces while players play.
type Limits struct {
	MaxPlayers int           // as Config.MaxPlayers
	Hold       time.Duration // as Config.Hold
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the field.
func (c Config) WithDefaults() (Config, error) {
	limits, err := c.limits().withDefaults()
	switch {
	case err != nil:
		return c, err
	case c.Backend == nil:
		return c, badConfig("Backend has to be set")
	case c.Shutdown < 0:
		return c, badConfig("Shutdown must not be negative")
	case c.Transport.Snapshot != "" && !restores(c.Backend):
		return c, badConfig("Transport.Snapshot is of no use: the backend cannot go on with the players of another process")
	}
	c.MaxPlayers, c.Hold = limits.MaxPlayers, limits.Hold
	c.Listen, c.Shutdown = cmp.Or(c.Listen, DefaultListen), cmp.Or(c.Shutdown, DefaultShutdown)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// restores reports whether a backend can go on with the players of another process.
func restores(b Backend) bool {
	r, says := b.(interface{ Restores() bool })
	return !says || r.Restores()
}

func (c Config) limits() Limits { return Limits{c.MaxPlayers, c.Hold} }

// withDefaults returns l with zero values filled in.
func (l Limits) withDefaults() (Limits, error) {
	switch {
	case l.MaxPlayers < 0 || l.MaxPlayers > maxPlayers:
		return l, badConfig("MaxPlayers must be 0 to %d", maxPlayers)
	case l.Hold < 0:
		return l, badConfig("Hold must not be negative")
	}
	return Limits{cmp.Or(l.MaxPlayers, DefaultMaxPlayers), cmp.Or(l.Hold, DefaultHold)}, nil
}

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}
