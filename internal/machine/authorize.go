package machine

import (
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// verdict is the outcome of a check: why it refuses, or zero.
type verdict struct {
	cause  Cause
	drop   audit.Drop  // that of cause, except for CauseMatch
	reason wire.Reason // for the player
}

// because returns the verdict for a cause.
func because(cause Cause) verdict { return verdict{cause, cause.Drop(), reasons[cause.Drop()]} }

// authorized asks Config.Authorize, or compares scopes without one. A temporary refusal has one of
// the drops for which isTemporary reports true. It is the last check before a session begins or
// goes on, so that a match is not asked about a player who cannot come in anyway. c.pending holds
// the detail.
func (c *Conn) authorized(a *session.Admission) verdict {
	a.Hosted = c.gate.config.Scope
	if c.gate.config.Authorize == nil {
		return c.scoped(a)
	}
	err := c.gate.config.Authorize(a)
	if err == nil {
		return verdict{}
	}
	c.pending.detail = err.Error()
	v := because(CauseMatch)
	r := session.Refusal(0)
	if !errors.As(err, &r) || r == 0 {
		return v
	}
	v.drop, v.reason = refusalDrop(wire.Reason(r)), wire.Reason(r)
	return v
}

// scoped compares scopes; a live session keeps its own.
func (c *Conn) scoped(a *session.Admission) verdict {
	switch {
	case a.ScopeAgrees():
		return verdict{}
	case a.Scope != "" && a.Scope != a.Claims.Scope:
		if a.Scope == a.Hosted {
			c.pending.detail = "the client asks for the match that the server hosts"
		}
		return because(CauseScopeAsked)
	}
	c.pending.detail = fmt.Sprintf("the server hosts %q", a.Hosted)
	return because(CauseScopeHosted)
}

// reauthorized asks whether the session may continue with a newer token. A refusal that is not
// temporary ends the session, and the session's next datagram sends the reason.
func (c *Conn) reauthorized(claims *token.Claims) verdict {
	v := c.authorized(&session.Admission{Why: session.Renewing, Claims: claims, Identity: identityOf(claims), Session: c.session})
	if v.cause == CauseNone || isTemporary(v.drop) {
		return v
	}
	c.session.terminate(v.reason, ticketsDrop(v.reason), v.cause)
	v.drop = audit.DropRevoked
	return v
}
