package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// The end of a session belongs to its name, not to a connection or a *Session, because a session
// may live on several connections in turn and on none in between. Every way to end a session for
// good calls refuseTickets, and every way to start or resume one checks ticketsRefused first, under
// the same lock.

// terminate ends a session with its next datagram, on whichever connection of this server it lives.
// The player receives reason. Unless why is DropNone, the session's tickets are refused with why
// from now on. It reports whether this is the first end of the session.
//
// +checklocks:g.mu
func (g *Gate) terminate(s *Session, reason wire.Reason, why audit.Drop) bool {
	e, _ := g.memory.lookup(sessionKey(s.name))
	first := e.why == audit.DropNone || e.why == audit.DropUsed
	expires := s.Expires()
	first = s.terminated.CompareAndSwap(0, uint32(reason)) && first
	if live := g.findByName(s.id, s.name); live != nil && live != s { // s has been resumed on another connection
		first = live.terminated.CompareAndSwap(0, uint32(reason)) && first
		if e := live.Expires(); e.After(expires) {
			expires = e
		}
	}
	if why != audit.DropNone {
		g.refuseTickets(s.name, expires, why)
	}
	return first
}

// refuseTickets refuses all tickets of a session from now on, until every ticket that any server
// may have issued by now, for any token, has expired. The first cause given holds.
//
// +checklocks:g.mu
func (g *Gate) refuseTickets(name [16]byte, expires time.Time, why audit.Drop) {
	g.absent.remove(name)
	e := g.memory.sessionEntry(name, "", "")
	if e.why == audit.DropUsed {
		e.why = why
	}
	if last := g.memory.lastExpiry(); last.After(expires) {
		expires = last
	}
	g.memory.put(sessionKey(name), expires, e)
}

// ticketsRefused returns why the tickets of a session are refused, or DropNone.
//
// +checklocks:g.mu
func (g *Gate) ticketsRefused(now time.Time, name [16]byte) audit.Drop {
	g.memory.advance(now)
	if e, _ := g.memory.lookup(sessionKey(name)); e.why != audit.DropUsed {
		return e.why
	}
	return audit.DropNone
}

// checkRevoked returns DropRevoked if an identity token, its player or the build that presents it
// is revoked or banned, and DropNone otherwise.
//
// +checklocks:g.mu
func (g *Gate) checkRevoked(now time.Time, claims *token.Claims, build string) audit.Drop {
	g.latest = now.UnixNano()
	if g.revoked.covers(now, claims, build) {
		return audit.DropRevoked
	}
	if len(g.bans.entries) > 0 {
		if _, banned := g.bans.lookup(revocationKey(session.RevokeSubject, claims.Issuer, claims.Subject), g.latest); banned {
			return audit.DropRevoked
		}
	}
	return audit.DropNone
}

// adopt binds a session to a newer identity token. If that has been revoked since it was verified,
// the session ends.
func (g *Gate) adopt(now time.Time, s *Session, claims *token.Claims) audit.Drop {
	g.mu.Lock()
	defer g.mu.Unlock()
	if drop := g.checkRevoked(now, claims, s.fingerprint.Build); drop != audit.DropNone {
		g.terminate(s, wire.ReasonRevoked, audit.DropRevoked)
		return drop
	}
	s.adopt(claims)
	return audit.DropNone
}
