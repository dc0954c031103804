package machine

import (
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// A session is admitted, or an identity token taken, in two steps: may… looks and changes nothing,
// so that a match is asked only about players who could come in, and the step itself looks again,
// since anything may have changed while the match was asked.

// checkTicket returns why a ticket does not resume its session, or CauseNone.
func (g *Gate) checkTicket(now time.Time, t *resume.Ticket, claims *token.Claims) Cause {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.checkTicketLocked(now, t, claims)
}

// answerTicket is checkTicket once more, for a ticket of a session that lives here, and useToken if
// the claims are those of a fresh token beside it. If there is no cause, the session counts as here
// for all tickets up to this one.
func (g *Gate) answerTicket(now time.Time, t *resume.Ticket, claims *token.Claims, s *Session, fresh bool) Cause {
	g.mu.Lock()
	defer g.unlock()
	cause := g.checkTicketLocked(now, t, claims)
	if cause == CauseNone && s.cause() == CauseElsewhere {
		cause = CauseBusyMoved
	}
	if cause == CauseNone && fresh {
		cause = g.useTokenLocked(now, claims, s)
	}
	if cause == CauseNone {
		g.noteAnswered(t)
	}
	return cause
}

// noteAnswered records that a ticket of a live session has been answered.
//
// +checklocks:g.mu
func (g *Gate) noteAnswered(t *resume.Ticket) {
	if a, lives := g.stays[t.Name]; lives {
		g.stays[t.Name] = stay{a.session, max(a.epoch, t.Epoch)}
	}
}

// +checklocks:g.mu
func (g *Gate) checkTicketLocked(now time.Time, t *resume.Ticket, claims *token.Claims) Cause {
	if cause := g.checkRevoked(now, claims, claims.Build); cause != CauseNone {
		return cause
	}
	if cause := g.ticketsRefused(now, t.Name); cause != CauseNone {
		return cause
	}
	_, known := g.memory.lookup(sessionKey(t.Name))
	switch {
	case t.Epoch <= g.spent(t.Name):
		return CauseTicketUsed
	case !known && !g.memory.fitsToken(g.config.MaxSessions):
		return CauseFullMemory // forgetting another entry could admit a stolen ticket
	}
	return CauseNone
}

// mayReadmit returns why readmit would not admit s now, or CauseNone.
func (g *Gate) mayReadmit(now time.Time, t *resume.Ticket, claims *token.Claims, s, waiting *Session) Cause {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _, cause := g.mayReadmitLocked(now, t, claims, s, waiting)
	return cause
}

// mayReadmitLocked is mayReadmit. It also returns the session that s replaces as its player's
// other one, and whether s goes on in place of waiting.
//
// +checklocks:g.mu
func (g *Gate) mayReadmitLocked(now time.Time, t *resume.Ticket, claims *token.Claims, s, waiting *Session) (former, live *Session, cause Cause) {
	if cause := g.checkTicketLocked(now, t, claims); cause != CauseNone {
		return nil, nil, cause
	}
	switch live = g.findByName(s.name); {
	case live != nil && live != waiting:
		return nil, nil, CauseBusyMoved // resumed in the meantime: the client tries again
	case live != nil:
		return nil, live, CauseNone
	case g.awaited[s.name]:
		return nil, nil, CauseBusyMoved // the client is about to be answered on its former connection
	}
	former, cause = g.chooseReplaced(now, s)
	if cause == CauseNone && former == nil && len(g.sessions) >= g.seats() {
		cause = CauseFull
	}
	return former, nil, cause
}

// readmit admits s, a session that does not live on this server, or only on a connection that waits
// for its first datagram: waiting, which s then replaces; nil if there is none. It repeats the
// checks of checkTicket, and is useToken, too, if the claims are those of a fresh token beside the
// ticket: where there is no room, that is not used. It returns the session of the same player that
// s replaces, if any.
func (g *Gate) readmit(now time.Time, t *resume.Ticket, claims *token.Claims, s, waiting *Session, fresh bool) (*Session, Cause) {
	g.mu.Lock()
	defer g.unlock()
	former, live, cause := g.mayReadmitLocked(now, t, claims, s, waiting)
	if cause == CauseNone && fresh {
		cause = g.useTokenLocked(now, claims, s)
	}
	switch {
	case cause != CauseNone:
		return nil, cause
	case live != nil:
		g.remove(live)
		s.began, s.replacements = live.began, live.replacements
	default:
		g.replace(now, former, s)
	}
	g.insert(s)
	g.noteAnswered(t)
	return former, CauseNone
}

// spendTicket uses up the ticket with which s continues here, and all earlier ones; if the client
// keeps the ticket, only the earlier ones. s takes over a newer identity token from the ticket: one
// that the client has shown with it, that the former connection has accepted, or that expires later.
func (g *Gate) spendTicket(now time.Time, r *resumption, s *Session) Cause {
	g.mu.Lock()
	defer g.unlock()
	t := r.ticket
	claims := claimsOf(t)
	if cause := g.checkRevoked(now, claims, s.fingerprint.Build); cause != CauseNone {
		return cause
	}
	if cause := g.ticketsRefused(now, t.Name); cause != CauseNone {
		return cause
	}
	if t.Epoch <= g.spent(t.Name) {
		return CauseTicketUsed
	}
	e := g.memory.sessionEntry(t.Name, t.Issuer, t.Subject)
	if e.spent = t.Epoch; r.keepsTicket {
		e.spent--
	}
	g.memory.put(sessionKey(t.Name), claims.Expires, e)
	g.noteTickets(session.UsedTicket, t.Name, e.spent)
	if r.fresh || r.former.renewsBy(t) || claims.Expires.UnixNano() > s.expires() {
		g.rename(s, claims, r.identity)
	}
	return CauseNone
}

// mayAdmit returns why admit would not admit s now, or CauseNone.
func (g *Gate) mayAdmit(now time.Time, claims *token.Claims, s *Session) Cause {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _, cause := g.mayAdmitLocked(now, claims, s)
	return cause
}

// mayAdmitLocked is mayAdmit. It also returns the session that s replaces, and the key of the token.
//
// +checklocks:g.mu
func (g *Gate) mayAdmitLocked(now time.Time, claims *token.Claims, s *Session) (former *Session, key uint64, cause Cause) {
	if cause := g.checkRevoked(now, claims, s.fingerprint.Build); cause != CauseNone {
		return nil, 0, cause
	}
	g.memory.advance(now)
	key = g.memory.tokenKey(claims)
	if _, used := g.memory.lookup(key); used || g.usedElsewhere(claims) {
		return nil, 0, CauseUsed
	}
	former, cause = g.chooseReplaced(now, s)
	switch {
	case cause != CauseNone:
		return nil, 0, cause
	case former == nil && len(g.sessions) >= g.config.MaxSessions:
		return nil, 0, CauseFull
	}
	room := g.memory.fitsSession(g.config.MaxSessions, len(g.sessions))
	return former, key, g.memory.mayUse(key, claims, room, 1)
}

// admit admits s, a new session, and gives it an id and a name, unless its token has been used or
// there is no room. It returns the session of the same player that s replaces, if any.
func (g *Gate) admit(now time.Time, claims *token.Claims, s *Session) (*Session, Cause) {
	g.mu.Lock()
	defer g.mu.Unlock()
	former, key, cause := g.mayAdmitLocked(now, claims, s)
	if cause != CauseNone {
		return nil, cause
	}
	g.memory.use(key, claims)
	g.random(s.name[:])
	binary.BigEndian.PutUint64(s.name[8:], key) // one entry covers token and session
	g.replace(now, former, s)
	g.insert(s)
	return former, CauseNone
}

// useToken records the token of a renewal as used. It extends the session's entry to the new
// expiry, so that the end of the session takes no room.
func (g *Gate) useToken(now time.Time, claims *token.Claims, s *Session) Cause {
	g.mu.Lock()
	defer g.unlock()
	return g.useTokenLocked(now, claims, s)
}

// +checklocks:g.mu
func (g *Gate) useTokenLocked(now time.Time, claims *token.Claims, s *Session) Cause {
	key, cause := g.mayUseTokenLocked(now, claims, s)
	if cause != CauseNone {
		return cause
	}
	g.memory.use(key, claims)
	g.remember(s, claims.Expires)
	g.noteToken(claims.Issuer, claims.ID, claims.Expires)
	return CauseNone
}

// mayUseToken returns why useToken would not take a token now, or CauseNone.
func (g *Gate) mayUseToken(now time.Time, claims *token.Claims, s *Session) Cause {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, cause := g.mayUseTokenLocked(now, claims, s)
	return cause
}

// mayUseTokenLocked is mayUseToken. It also returns the key of the token.
//
// +checklocks:g.mu
func (g *Gate) mayUseTokenLocked(now time.Time, claims *token.Claims, s *Session) (uint64, Cause) {
	if cause := g.checkRevoked(now, claims, s.fingerprint.Build); cause != CauseNone {
		return 0, cause
	}
	g.memory.advance(now)
	if g.usedElsewhere(claims) {
		return 0, CauseUsed
	}
	key := g.memory.tokenKey(claims)
	return key, g.memory.mayUse(key, claims, g.memory.fitsToken(g.config.MaxSessions), 2)
}
