package statuspage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// ErrConfig is matched by the errors of Handler.
var ErrConfig = errors.New("statuspage: bad configuration")

// Server is what the page shows. A *transport.Server is one. Its methods are safe for concurrent
// use.
type Server interface {
	Stats() transport.Stats
	Visit(ctx context.Context, f func(*transport.Player) bool) error
	Bans(most int) []session.Ban
}

// Events are the newest decisions. An *audit.Recent has them. Since returns the lines from number
// seq on that are still kept, and the number of the next line to come; a seq beyond that counts as
// 0. Pseudonym returns the name that the lines give a subject. Both are safe for concurrent use and
// do not wait.
type Events interface {
	Since(seq uint64) (lines [][]byte, next uint64)
	Pseudonym(subject string) string
}

// Revoker ends sessions. A *transport.Server does; so may what reaches a whole fleet. Its methods
// are safe for concurrent use.
type Revoker interface {
	Session(id uint32) (session.Session, bool)
	RevokeSession(id uint32) bool
	Revoke(r session.Revocation) (ended int, err error)
	Ban(b session.Ban) (ended int, err error)
	Lift(issuer, subject string) bool
}

// Config says what the page shows, and to whom. Only Server has to be set.
type Config struct {
	// Server is what the page shows.
	Server Server

	// Events are the decisions to show; nil means none.
	Events Events

	// Remote answers requests from other machines, too. Whoever reaches the address then sees the
	// page: a firewall or a proxy that asks for a password has to stand before it.
	Remote bool

	// Hosts are names under which the page may be asked for besides localhost and IP addresses,
	// without a port: those of a proxy, for instance.
	Hosts []string

	// Names shows the subjects and issuers of players. Without it they are shown by pseudonym.
	Names bool

	// Authorize permits a request to revoke, ban or lift by returning nil; nil means that the page
	// is read-only. It is called for requests that pass the checks of the package comment, several
	// at once. Its errors are not sent. Local permits whoever is logged in to this machine.
	Authorize func(*http.Request) error

	// Revoker does what Authorize permits. It has to be set if Authorize is, and only then.
	Revoker Revoker

	// Issuer stands for one that a request does not name; empty means that it must name one.
	Issuer string

	// Metrics serves /metrics; nil means none.
	Metrics http.Handler

	// Ready returns an error while the server should get no new players, though it serves those
	// that it has; nil means never. It must not wait.
	Ready func() error

	// Panel is a picture of the game's own; nil means none.
	Panel *Panel
}

// Panel is a part of the page that only the game can draw.
type Panel struct {
	// Title is its heading, plain text.
	Title string

	// Script is JavaScript that defines a function panel(g, width, height, state). It is called for
	// each frame, with the 2D context of a cleared canvas of that size in CSS pixels and the latest
	// /state, whose panel is what Data has returned. Players may have chosen what is in the state,
	// but nothing that a script does with it makes HTML of it. It is the program's own, and must
	// not contain "</script".
	Script string

	// Data returns what is encoded as JSON for the script. It must not change any more: return a copy
	// of what the game goes on with. It is safe for concurrent use, and does not wait; nil means null.
	Data func() any
}

// check returns an error that matches ErrConfig and names the field.
func (c *Config) check() error {
	switch {
	case c.Server == nil:
		return fmt.Errorf("%w: Server is missing: give the transport.Server that the page shows", ErrConfig)
	case c.Authorize == nil && c.Revoker != nil:
		return fmt.Errorf("%w: Authorize is missing: say who may revoke, or leave out Revoker", ErrConfig)
	case c.Authorize != nil && c.Revoker == nil:
		return fmt.Errorf("%w: Revoker is missing: give the transport.Server that is to revoke, or leave out Authorize", ErrConfig)
	case c.Panel != nil && strings.Contains(strings.ToLower(c.Panel.Script), "</script"):
		return fmt.Errorf(`%w: Panel.Script contains "</script", where a browser would end it`, ErrConfig)
	}
	return nil
}
