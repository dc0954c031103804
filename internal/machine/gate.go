package machine

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Gate admits the sessions of a server and holds the live ones. It is safe for concurrent use; no
// datagram of a live session touches it.
type Gate struct {
	config session.Config
	seed   uint64       // of the digests of fingerprints
	ahead  atomic.Int64 // see StepClock

	mu sync.Mutex // held for a few map operations, never during a callback
	// +checklocks:mu
	sessions map[uint32]*Session
	// +checklocks:mu
	players map[uint64]*Session // by playerHash, linked by sibling
	// +checklocks:mu
	memory memory
	// +checklocks:mu
	revoked revocations
	// +checklocks:mu
	bans expiring[ban]
	// +checklocks:mu
	absent absent
	// +checklocks:mu
	latest int64 // wall clock of the last check for revocation, Unix ns
}

// NewGate returns a Gate for config, or an error that names the field that is wrong.
func NewGate(config session.Config) (*Gate, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	g := &Gate{
		config: config, sessions: make(map[uint32]*Session), players: make(map[uint64]*Session), memory: newMemory(),
		revoked: revocations{expiring[revocation]{most: config.MaxRevocations}},
		bans:    expiring[ban]{most: config.MaxBans}, absent: absent{most: config.MaxSessions},
	}
	var seed [8]byte
	g.random(seed[:])
	g.seed = binary.BigEndian.Uint64(seed[:])
	return g, nil
}

// StepClock sets how far the wall clock is ahead of the times that machines are given, in total.
// Expiry follows the wall clock; durations follow the time given, which never steps. It is zero at
// first.
func (g *Gate) StepClock(ahead time.Duration) { g.ahead.Store(int64(ahead)) }

// wall returns the wall clock at a time that a machine was given.
func (g *Gate) wall(now time.Time) time.Time { return now.Add(time.Duration(g.ahead.Load())) }

// Len returns the number of live sessions.
func (g *Gate) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.sessions)
}

// Session returns the live session with this id.
func (g *Gate) Session(id uint32) (*Session, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.sessions[id]
	return s, ok
}

// sessionOf returns the live session of a ticket, or nil if it does not live on this server.
func (g *Gate) sessionOf(t *resume.Ticket) *Session {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.findByName(t.Session, t.Name)
}

// findByName returns the live session with this name, most likely under id. If id belongs to
// another session it scans all of them, which is rare and costs less than the memory of a second
// map.
//
// +checklocks:g.mu
func (g *Gate) findByName(id uint32, name [16]byte) *Session {
	if s := g.sessions[id]; s != nil && s.name == name {
		return s
	}
	for _, s := range g.sessions {
		if s.name == name {
			return s
		}
	}
	return nil
}

// checkTicket returns why a ticket does not resume its session, or DropNone.
func (g *Gate) checkTicket(now time.Time, t *resume.Ticket, claims *token.Claims) audit.Drop {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.checkTicketLocked(now, t, claims)
}

// +checklocks:g.mu
func (g *Gate) checkTicketLocked(now time.Time, t *resume.Ticket, claims *token.Claims) audit.Drop {
	if drop := g.checkRevoked(now, claims, claims.Build); drop != audit.DropNone {
		return drop
	}
	if drop := g.ticketsRefused(now, t.Name); drop != audit.DropNone {
		return drop
	}
	e, known := g.memory.lookup(sessionKey(t.Name))
	switch {
	case t.Epoch <= e.spent:
		return audit.DropTicket
	case !known && !g.memory.fitsToken(g.config.MaxSessions):
		return audit.DropFull // forgetting another entry could admit a stolen ticket
	}
	return audit.DropNone
}

// readmit admits s, a session that does not live on this server, or only on a connection that waits
// for its first datagram: waiting, which s then replaces; nil if there is none. It repeats the
// checks of checkTicket. It returns the session of the same player that s replaces, if any.
func (g *Gate) readmit(now time.Time, t *resume.Ticket, claims *token.Claims, s, waiting *Session) (*Session, audit.Drop) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if drop := g.checkTicketLocked(now, t, claims); drop != audit.DropNone {
		return nil, drop
	}
	live := g.findByName(s.id, s.name)
	if live != nil && live != waiting {
		return nil, audit.DropBusy // resumed in the meantime: the client tries again
	}
	if live != nil {
		g.remove(live)
		s.began, s.replacements = live.began, live.replacements
		g.insert(s)
		return nil, audit.DropNone
	}
	former, drop := g.chooseReplaced(now, s)
	switch {
	case drop != audit.DropNone:
		return nil, drop
	case former == nil && len(g.sessions) >= g.seats():
		return nil, audit.DropFull
	}
	g.replace(now, former, s)
	g.insert(s)
	return former, audit.DropNone
}

// spendTicket uses up a ticket, with which s continues here, and all earlier ones; if the client
// keeps the ticket, only the earlier ones. s takes over a newer identity token from the ticket.
func (g *Gate) spendTicket(now time.Time, t *resume.Ticket, s *Session, kept bool) audit.Drop {
	g.mu.Lock()
	defer g.mu.Unlock()
	claims := claimsOf(t)
	if drop := g.checkRevoked(now, claims, s.fingerprint.Build); drop != audit.DropNone {
		return drop
	}
	if drop := g.ticketsRefused(now, t.Name); drop != audit.DropNone {
		return drop
	}
	e := g.memory.sessionEntry(t.Name, t.Issuer, t.Subject)
	if t.Epoch <= e.spent {
		return audit.DropTicket
	}
	if e.spent = t.Epoch; kept {
		e.spent--
	}
	g.memory.put(sessionKey(t.Name), claims.Expires, e)
	if claims.Expires.UnixNano() > s.expires.Load() {
		s.adopt(claims)
	}
	return audit.DropNone
}

// admit admits s, a new session, and gives it an id and a name, unless its token has been used or
// there is no room. It returns the session of the same player that s replaces, if any.
func (g *Gate) admit(now time.Time, claims *token.Claims, s *Session) (*Session, audit.Drop) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if drop := g.checkRevoked(now, claims, s.fingerprint.Build); drop != audit.DropNone {
		return nil, drop
	}
	g.memory.advance(now)
	key := g.memory.tokenKey(claims)
	if _, used := g.memory.lookup(key); used {
		return nil, audit.DropUsed
	}
	former, drop := g.chooseReplaced(now, s)
	switch {
	case drop != audit.DropNone:
		return nil, drop
	case former == nil && len(g.sessions) >= g.config.MaxSessions:
		return nil, audit.DropFull
	}
	room := g.memory.fitsSession(g.config.MaxSessions, len(g.sessions))
	if drop := g.memory.use(key, claims, room, 1); drop != audit.DropNone {
		return nil, drop
	}
	g.random(s.name[:])
	binary.BigEndian.PutUint64(s.name[8:], key) // one entry covers token and session
	g.replace(now, former, s)
	g.insert(s)
	return former, audit.DropNone
}

// insert adds s to the live sessions. s keeps its id unless another session has it.
//
// +checklocks:g.mu
func (g *Gate) insert(s *Session) {
	for s.id == 0 || g.sessions[s.id] != nil {
		var b [4]byte
		g.random(b[:])
		s.id = binary.BigEndian.Uint32(b[:])
	}
	if s.gate == nil {
		s.gate = g
	}
	g.absent.remove(s.name)
	g.sessions[s.id] = s
	g.addToPlayer(s)
}

// remove removes s from the live sessions, if it is one of them.
//
// +checklocks:g.mu
func (g *Gate) remove(s *Session) {
	if g.sessions[s.id] == s {
		delete(g.sessions, s.id)
		g.removeFromPlayer(s)
	}
}

// useToken records the token of a renewal as used. It extends the session's entry to the new
// expiry, so that the end of the session takes no room.
func (g *Gate) useToken(now time.Time, claims *token.Claims, s *Session) audit.Drop {
	g.mu.Lock()
	defer g.mu.Unlock()
	if drop := g.checkRevoked(now, claims, s.fingerprint.Build); drop != audit.DropNone {
		return drop
	}
	g.memory.advance(now)
	if drop := g.memory.use(g.memory.tokenKey(claims), claims, g.memory.fitsToken(g.config.MaxSessions), 2); drop != audit.DropNone {
		return drop
	}
	g.remember(s, claims.Expires)
	return audit.DropNone
}

// remember keeps the entry of a session until expires, the latest time at which the session may be
// resumed, so that its end takes no room.
//
// +checklocks:g.mu
func (g *Gate) remember(s *Session, expires time.Time) {
	g.memory.put(sessionKey(s.name), expires, g.memory.sessionEntry(s.name, s.issuer, s.subject))
}

// forget removes s from the live sessions. Unless why is DropNone the session has ended for good
// and its tickets are refused: if its player has left, until the last ticket issued here expires;
// if it was ended by the server, as refuseTickets describes.
func (g *Gate) forget(s *Session, why audit.Drop, putOut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(s)
	e := g.memory.sessionEntry(s.name, s.issuer, s.subject)
	switch {
	case e.why != audit.DropUsed: // terminate has refused its tickets
	case why == audit.DropNone:
		if g.config.FleetKeys.Enabled() {
			g.absent.add(s)
		}
	case putOut:
		g.refuseTickets(s.name, s.Expires(), why)
	default:
		e.why = why
		g.memory.put(sessionKey(s.name), s.Expires(), e)
	}
}

// random fills b. It panics if the source of randomness fails, as crypto/rand ends the process.
func (g *Gate) random(b []byte) {
	if _, err := io.ReadFull(g.config.Random, b); err != nil {
		panic(fmt.Sprintf("session: Config.Random failed: %v", err))
	}
}

// seats returns how many sessions may be live when one of them is resumed.
func (g *Gate) seats() int {
	if g.config.MaxSessions <= 0 {
		return 0
	}
	return g.config.MaxSessions + (g.config.MaxSessions+resumeShare-1)/resumeShare
}
