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

// Gate is a server's door. It is safe for concurrent use; no datagram of a
// live session touches it.
type Gate struct {
	config session.Config
	seed   uint64       // of fingerprints' digests
	ahead  atomic.Int64 // see StepClock

	mu sync.Mutex // held for a map operation or two, never across a call out
	// +checklocks:mu
	sessions map[uint32]*Session
	// +checklocks:mu
	players map[uint64]*Session // the same by player, linked by sibling
	// +checklocks:mu
	memory memory
	// +checklocks:mu
	revoked revocations
	// +checklocks:mu
	bans expiring[ban]
	// +checklocks:mu
	absent absent
	// +checklocks:mu
	latest int64 // wall clock as of the last question of somebody who wants in, Unix ns
}

// NewGate returns a Gate for config, or says what is wrong with it.
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

// StepClock says by how much the wall clock is ahead of the time that machines
// are given, in all: expiry follows the wall clock, and everything that lasts
// follows the time given, which never steps. It is zero at first.
func (g *Gate) StepClock(ahead time.Duration) { g.ahead.Store(int64(ahead)) }

// wall is the wall clock at a time that a machine was given.
func (g *Gate) wall(now time.Time) time.Time { return now.Add(time.Duration(g.ahead.Load())) }

// Len is the number of live sessions.
func (g *Gate) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.sessions)
}

// Session finds a live session by its id.
func (g *Gate) Session(id uint32) (*Session, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.sessions[id]
	return s, ok
}

// resident is the live session of a ticket, nil if it lives nowhere on this server.
func (g *Gate) resident(t *resume.Ticket) *Session {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.named(t.Session, t.Name)
}

// named finds a live session, most likely by its id. Where that is another's it looks at all of them, which is rare and
// costs less than a second map would in memory.
//
// +checklocks:g.mu
func (g *Gate) named(id uint32, name [16]byte) *Session {
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

// barred says why a ticket does not resume its session.
func (g *Gate) barred(now time.Time, t *resume.Ticket, claims *token.Claims) audit.Drop {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bars(now, t, claims)
}

// +checklocks:g.mu
func (g *Gate) bars(now time.Time, t *resume.Ticket, claims *token.Claims) audit.Drop {
	if drop := g.withdrawn(now, claims, claims.Build); drop != audit.DropNone {
		return drop
	}
	if drop := g.ended(now, t.Name); drop != audit.DropNone {
		return drop
	}
	e, known := g.memory.lookup(sessionKey(t.Name))
	switch {
	case t.Epoch <= e.spent:
		return audit.DropTicket
	case !known && !g.memory.fitsToken(g.config.MaxSessions):
		return audit.DropFull // to forget one would let a stolen one in
	}
	return audit.DropNone
}

// readmit lets s in, a session that lives nowhere on this server, or only on a connection that waits for its first
// datagram: that one's, nil for none, it takes the place of. What may have happened since barred was asked counts. It
// returns the session of the same player that gives way, if one has to.
func (g *Gate) readmit(now time.Time, t *resume.Ticket, claims *token.Claims, s, waiting *Session) (*Session, audit.Drop) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if drop := g.bars(now, t, claims); drop != audit.DropNone {
		return nil, drop
	}
	live := g.named(s.id, s.name)
	if live != nil && live != waiting {
		return nil, audit.DropBusy // it has come to life meanwhile: its player asks again
	}
	if live != nil {
		g.displace(live)
		s.began, s.holds = live.began, live.holds
		g.place(s)
		return nil, audit.DropNone
	}
	former, drop := g.yielding(now, s)
	switch {
	case drop != audit.DropNone:
		return nil, drop
	case former == nil && len(g.sessions) >= g.seats():
		return nil, audit.DropFull
	}
	g.yield(now, former, s)
	g.place(s)
	return former, audit.DropNone
}

// spend uses up a ticket, with which s goes on here, and those before it; of one that is kept only those before it. s
// takes over what the ticket knows of a newer identity token.
func (g *Gate) spend(now time.Time, t *resume.Ticket, s *Session, kept bool) audit.Drop {
	g.mu.Lock()
	defer g.mu.Unlock()
	claims := claimsOf(t)
	if drop := g.withdrawn(now, claims, s.fingerprint.Build); drop != audit.DropNone {
		return drop
	}
	if drop := g.ended(now, t.Name); drop != audit.DropNone {
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

// admit lets in s, a new session: it gets its id and name, unless its token has been used or there is no room. It returns
// the session of the same player that gives way, if one has to.
func (g *Gate) admit(now time.Time, claims *token.Claims, s *Session) (*Session, audit.Drop) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if drop := g.withdrawn(now, claims, s.fingerprint.Build); drop != audit.DropNone {
		return nil, drop
	}
	g.memory.advance(now)
	key := g.memory.tokenKey(claims)
	if _, used := g.memory.lookup(key); used {
		return nil, audit.DropUsed
	}
	former, drop := g.yielding(now, s)
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
	binary.BigEndian.PutUint64(s.name[8:], key) // so that one entry stands for both
	g.yield(now, former, s)
	g.place(s)
	return former, audit.DropNone
}

// place puts s among the live sessions, under an id that it has if nobody else does.
//
// +checklocks:g.mu
func (g *Gate) place(s *Session) {
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

// displace takes s out of the live sessions, if it is among them.
//
// +checklocks:g.mu
func (g *Gate) displace(s *Session) {
	if g.sessions[s.id] == s {
		delete(g.sessions, s.id)
		g.removeFromPlayer(s)
	}
}

// take marks the token of a renewal as used. The session is remembered as long as it may last now, so that its end takes
// no room.
func (g *Gate) take(now time.Time, claims *token.Claims, s *Session) audit.Drop {
	g.mu.Lock()
	defer g.mu.Unlock()
	if drop := g.withdrawn(now, claims, s.fingerprint.Build); drop != audit.DropNone {
		return drop
	}
	g.memory.advance(now)
	if drop := g.memory.use(g.memory.tokenKey(claims), claims, g.memory.fitsToken(g.config.MaxSessions), 2); drop != audit.DropNone {
		return drop
	}
	g.remember(s, claims.Expires)
	return audit.DropNone
}

// remember keeps the entry of a session that may last until expires, and be resumed until then: so its end, whenever it
// comes, takes no room.
//
// +checklocks:g.mu
func (g *Gate) remember(s *Session, expires time.Time) {
	g.memory.put(sessionKey(s.name), expires, g.memory.sessionEntry(s.name, s.issuer, s.subject))
}

// forget takes s out of the live sessions. If it is over for good, which why says, no ticket of it is taken any more:
// of a player who has left until the last one is past that was given here, of one who was put out as long as bar says.
func (g *Gate) forget(s *Session, why audit.Drop, putOut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.displace(s)
	e := g.memory.sessionEntry(s.name, s.issuer, s.subject)
	switch {
	case e.why != audit.DropUsed: // putOut has seen to it
	case why == audit.DropNone:
		if g.config.FleetKeys.Enabled() {
			g.absent.add(s)
		}
	case putOut:
		g.bar(s.name, s.Expires(), why)
	default:
		e.why = why
		g.memory.put(sessionKey(s.name), s.Expires(), e)
	}
}

// random fills b. A source of randomness that fails leaves nothing to build
// on: crypto/rand itself ends the process then, and so does this.
func (g *Gate) random(b []byte) {
	if _, err := io.ReadFull(g.config.Random, b); err != nil {
		panic(fmt.Sprintf("session: Config.Random failed: %v", err))
	}
}

// seats is how many sessions may be live at once when one of them is resumed.
func (g *Gate) seats() int {
	if g.config.MaxSessions <= 0 {
		return 0
	}
	return g.config.MaxSessions + (g.config.MaxSessions+resumeShare-1)/resumeShare
}
