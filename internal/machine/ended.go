package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Whether a session has been put out is a property of its name, kept here, and not of a connection or of a *Session: a
// session may live on several connections in turn, and on none in between. Every way of putting a session out ends in
// bar, and every way of bringing one to life asks ended first, under the same lock.

// putOut ends a session with its next datagram, wherever it lives on this server, and refuses its tickets from now on. The
// player is told reason; why is what the tickets are refused for, DropNone if they stay good. It reports whether the
// session had not been put out before.
//
// +checklocks:g.mu
func (g *Gate) putOut(s *Session, reason wire.Reason, why audit.Drop) bool {
	e, _ := g.memory.lookup(sessionKey(s.name))
	first := e.why == audit.DropNone || e.why == audit.DropUsed
	expires := s.Expires()
	first = s.out.CompareAndSwap(0, uint32(reason)) && first
	if live := g.named(s.id, s.name); live != nil && live != s { // s has been resumed since
		first = live.out.CompareAndSwap(0, uint32(reason)) && first
		if e := live.Expires(); e.After(expires) {
			expires = e
		}
	}
	if why != audit.DropNone {
		g.bar(s.name, expires, why)
	}
	return first
}

// bar refuses all tickets of a session from now on: until the last one is past that any server may have given by now,
// with whatever token. Of several ends the first counts.
//
// +checklocks:g.mu
func (g *Gate) bar(name [16]byte, expires time.Time, why audit.Drop) {
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

// ended reports why no ticket of a session is taken any more: DropNone if it is.
//
// +checklocks:g.mu
func (g *Gate) ended(now time.Time, name [16]byte) audit.Drop {
	g.memory.advance(now)
	if e, _ := g.memory.lookup(sessionKey(name)); e.why != audit.DropUsed {
		return e.why
	}
	return audit.DropNone
}

// withdrawn reports whether an identity token, who it names or the build of who shows it is trusted no more: DropNone if
// all are trusted.
//
// +checklocks:g.mu
func (g *Gate) withdrawn(now time.Time, claims *token.Claims, build string) audit.Drop {
	g.latest = now.UnixNano()
	if g.revoked.covers(now, claims, build) {
		return audit.DropRevoked
	}
	if len(g.bans.entries) > 0 {
		if _, banned := g.bans.look(revocationKey(session.RevokeSubject, claims.Issuer, claims.Subject), g.latest); banned {
			return audit.DropRevoked
		}
	}
	return audit.DropNone
}

// adopt has a session go on with a newer identity token, which may have been revoked since it was taken: then the session
// ends.
func (g *Gate) adopt(now time.Time, s *Session, claims *token.Claims) audit.Drop {
	g.mu.Lock()
	defer g.mu.Unlock()
	if drop := g.withdrawn(now, claims, s.fingerprint.Build); drop != audit.DropNone {
		g.putOut(s, wire.ReasonRevoked, audit.DropRevoked)
		return drop
	}
	s.adopt(claims)
	return audit.DropNone
}
