package machine

import (
	"errors"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// authorized asks Config.Authorize, or compares scopes without one. It returns what is counted and
// the reason for the player. A temporary refusal returns one of the drops that passing accepts.
func (c *Conn) authorized(a *session.Admission) (audit.Drop, wire.Reason) {
	config := &c.gate.config
	if config.Authorize == nil {
		return c.scoped(a)
	}
	err := config.Authorize(a)
	if err == nil {
		return audit.DropNone, 0
	}
	reason := wire.ReasonScope
	if r := session.Refusal(0); errors.As(err, &r) && r != 0 {
		reason = wire.Reason(r)
	}
	for _, drop := range [...]audit.Drop{audit.DropFull, audit.DropBusy, audit.DropUnavailable, audit.DropRevoked} {
		if reasons[drop] == reason {
			return drop, reason
		}
	}
	return audit.DropScope, reason
}

// scoped compares scopes; a live session keeps its own.
func (c *Conn) scoped(a *session.Admission) (audit.Drop, wire.Reason) {
	hosted := c.gate.config.Scope
	switch {
	case a.Why == session.Renewing || a.Why == session.Resuming:
		return audit.DropNone, 0
	case hosted != "" && a.Claims.Scope != hosted, a.Scope != "" && a.Scope != a.Claims.Scope:
		return audit.DropScope, wire.ReasonScope
	}
	return audit.DropNone, 0
}

// reauthorized asks whether the session may continue with a newer token. A refusal that is not
// temporary ends the session: it returns DropRevoked, and the session's next datagram sends the
// reason.
func (c *Conn) reauthorized(claims *token.Claims) audit.Drop {
	drop, reason := c.authorized(&session.Admission{Why: session.Renewing, Claims: claims, Session: c.session})
	if drop == audit.DropNone || isTemporary(drop) {
		return drop
	}
	c.session.terminate(reason, ticketsDrop(reason))
	return audit.DropRevoked
}
