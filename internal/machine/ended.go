package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/identity"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/token"
)

// The end of a session belongs to its name, not to a connection or a *Session, because a session
// may live on several connections in turn and on none in between. Every way to end a session for
// good calls refuseTickets, and every way to start or resume one checks ticketsRefused first, under
// the same lock.

// terminate ends a session with its next datagram, on whichever connection of this server it lives.
// The player receives reason, and cause is for the operator. Unless why is DropNone, the session's
// tickets are refused with why from now on. It reports whether this is the first end of the session.
//
// +checklocks:g.mu
func (g *Gate) terminate(s *Session, reason wire.Reason, why audit.Drop, cause Cause) (first bool) {
	if s.terminated.Load()&cancelled != 0 {
		return false
	}
	e, _ := g.memory.lookup(sessionKey(s.name))
	unrefused := e.why == audit.DropNone || e.why == audit.DropUsed
	expires := s.Expires()
	first = s.halt(reason, cause)
	if live := g.findByName(s.name); live != nil && live != s { // s has been resumed on another connection
		first = live.halt(reason, cause) && first
		if e := live.Expires(); e.After(expires) {
			expires = e
		}
	}
	if why != audit.DropNone {
		g.putOut(s.name, expires, why, reason) // again, if it has ended for a reason that other servers are not told
	}
	return first && unrefused
}

// halt has the session end with its next datagram, and reports whether it was live.
func (s *Session) halt(reason wire.Reason, cause Cause) bool {
	first := s.terminated.CompareAndSwap(0, uint32(reason)|uint32(cause)<<8)
	if flag := s.ended.Load(); flag != nil {
		flag.Store(true)
	}
	return first
}

// putOut is refuseTickets for a session that ends for reason, which other servers may have to know.
//
// +checklocks:g.mu
func (g *Gate) putOut(name [16]byte, expires time.Time, why audit.Drop, reason wire.Reason) {
	g.refuseTickets(name, expires, why)
	g.notePutOut(name, reason)
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

// ticketsRefused returns why the tickets of a session are refused, or CauseNone.
//
// +checklocks:g.mu
func (g *Gate) ticketsRefused(now time.Time, name [16]byte) Cause {
	g.memory.advance(now)
	key := sessionKey(name)
	e, _ := g.memory.lookup(key)
	if e.why == audit.DropNone || e.why == audit.DropUsed {
		e = g.find(&g.elsewhere.putOut, key)
	}
	switch {
	case e.why == audit.DropRevoked, g.revoked.coversSession(now, name):
		return CauseRevoked
	case e.why == audit.DropNone:
		return CauseNone
	}
	return CauseTicketEnded
}

// checkRevoked returns why an identity token is not taken if it, its player or the build that
// presents it is revoked or banned, and CauseNone otherwise.
//
// +checklocks:g.mu
func (g *Gate) checkRevoked(now time.Time, claims *token.Claims, build string) Cause {
	g.latest = now.UnixNano()
	if _, is := g.banOf(claims.Issuer, claims.Subject); is {
		return CauseBanned
	}
	return g.revoked.covers(now, claims, build)
}

// adopt binds a session to a newer identity token. If that has been revoked since it was verified,
// the session ends.
func (g *Gate) adopt(now time.Time, s *Session, claims *token.Claims, id identity.Identity) Cause {
	g.mu.Lock()
	defer g.unlock()
	if cause := g.checkRevoked(now, claims, s.fingerprint.Build); cause != CauseNone {
		g.terminate(s, wire.ReasonRevoked, audit.DropRevoked, cause)
		return cause
	}
	g.rename(s, claims, id)
	return CauseNone
}

// rename is Session.adopt for a session that may live.
//
// +checklocks:g.mu
func (g *Gate) rename(s *Session, claims *token.Claims, id identity.Identity) {
	lives := g.sessions[s.id] == s
	if lives {
		g.named.add(s.issuer, s.names.Load(), -1)
	}
	s.adopt(claims, id)
	if lives {
		g.named.add(s.issuer, s.names.Load(), 1)
	}
}
