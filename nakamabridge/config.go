package nakamabridge

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/heroiclabs/nakama-common/api"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Config configures a Bridge. Verifier and Accounts are required, and Public unless Conn is set or
// Address names an interface. All other fields may be zero.
type Config struct {
	// Verifier judges the identity tokens that players sign in with.
	Verifier Verifier
	// Accounts is the NakamaModule.
	Accounts Accounts
	// Logger receives messages for the operator; nil means no log.
	Logger Logger
	// Audit receives a record of every trust decision; nil means that none is kept.
	Audit audit.Sink

	// Address is the UDP address to listen on; empty means DefaultAddress.
	Address string
	// Public is the "host:port" that clients are told; empty means Address, if that names an
	// interface.
	Public string
	// Conn is a socket made elsewhere, which the Bridge then owns, in place of Address.
	Conn net.PacketConn
	// Certificate is the certificate of the UDP server; zero means one that is made here, which
	// clients authenticate by the RPC's pin.
	Certificate tls.Certificate
	// Session configures UDP sessions. Its Scope is not used; its Authorize is called after the
	// Bridge has agreed. Its MaxPerSubject counts a user's UDP sessions in all matches, including
	// those bound to sockets: raise it where users play with more than two devices or in more than
	// two matches at a time.
	Session session.Config

	// VirtualPlayers is how many UDP-only players a match takes. Zero means none; negative is an
	// error.
	VirtualPlayers int
	// Unreliable, when set, reports whether broadcasts with this op code may be lost although the
	// game sends them as reliable: they go by UDP to every player who has it. It is for op codes
	// that a later broadcast replaces, as one with the state of the world does. It is called by
	// several goroutines at once, for each reliable broadcast, and must be fast.
	Unreliable func(op int64) bool
	// Queue is how many inputs wait for a match's tick, from all its players together, with at most
	// 1,145 bytes each on the average. Zero means 4,096; negative is an error.
	Queue int

	// TokenLife is the life of the RPC's tokens, whole seconds from five to token.DefaultLife. Zero
	// means 5 minutes; negative is an error. A client renews when about a third of it is left.
	TokenLife time.Duration
	// BanInterval is how often the accounts of players are checked. Zero means 30 s; negative is an
	// error.
	BanInterval time.Duration
}

// Verifier verifies identity tokens at a given time. *token.Verifier is one. It is called by
// several goroutines at once, and returns when ctx ends. Its errors match those of package token.
type Verifier interface {
	Verify(ctx context.Context, now time.Time, raw []byte) (*token.Claims, error)
}

// Accounts is the part of runtime.NakamaModule that a Bridge uses. It is called by several
// goroutines at once. Its errors have Nakama's texts, by which a Bridge knows those that mean no
// account, or a banned one.
type Accounts interface {
	AccountGetId(ctx context.Context, userID string) (*api.Account, error)
	AccountsGetId(ctx context.Context, userIDs, deviceIDs []string) ([]*api.Account, error)
	AuthenticateCustom(ctx context.Context, id, username string, create bool) (userID, name string, created bool, err error)
}

// Logger is the part of runtime.Logger that a Bridge uses.
type Logger interface {
	Info(format string, v ...any)
	Warn(format string, v ...any)
	Error(format string, v ...any)
}

// silent is a Logger and an audit.Sink that discards everything.
type silent struct{}

func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
func (silent) Record(audit.Event)   {}

// withDefaults fills in zero values and refuses invalid ones.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Verifier == nil:
		return c, fmt.Errorf("%w: Verifier is missing", ErrConfig)
	case c.Accounts == nil:
		return c, fmt.Errorf("%w: Accounts is missing: give the NakamaModule", ErrConfig)
	case c.VirtualPlayers < 0, c.Queue < 0, c.BanInterval < 0:
		return c, fmt.Errorf("%w: VirtualPlayers, Queue and BanInterval must not be negative", ErrConfig)
	case c.TokenLife != 0 && c.TokenLife != min(max(c.TokenLife, minTokenLife), token.DefaultLife).Truncate(time.Second):
		return c, fmt.Errorf("%w: TokenLife must be whole seconds from %v to %v", ErrConfig, minTokenLife, token.DefaultLife)
	}
	if c.Logger == nil {
		c.Logger = silent{}
	}
	if c.Audit == nil {
		c.Audit = silent{}
	}
	c.Address = cmp.Or(c.Address, DefaultAddress)
	c.Queue = cmp.Or(c.Queue, defaultQueue)
	c.TokenLife = cmp.Or(c.TokenLife, defaultTokenLife)
	c.BanInterval = cmp.Or(c.BanInterval, defaultBanInterval)
	return c, c.checkPublic()
}

// checkPublic makes sure that clients can be told where to go.
func (c Config) checkPublic() error {
	if c.Public == "" && c.Conn == nil {
		if addr, err := netip.ParseAddrPort(c.Address); err != nil || addr.Addr().IsUnspecified() {
			return fmt.Errorf("%w: Public is missing, and Address names no interface", ErrConfig)
		}
	}
	if c.Public != "" {
		if host, _, err := net.SplitHostPort(c.Public); err != nil || host == "" {
			return fmt.Errorf("%w: Public must be host:port", ErrConfig)
		}
	}
	return nil
}
