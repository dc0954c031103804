package machine

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/behaviour"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/session"
)

// Gate admits the sessions of a server and holds the live ones. It is safe for concurrent use; no
// datagram of a live session touches it.
type Gate struct {
	config session.Config
	limits *behaviour.Limits // those of config.Behaviour
	seed   uint64            // of the digests of fingerprints
	steps  clockSteps        // of the wall clock
	lanes  *offer            // nil without lanes; set before the first connection

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
	stays map[[16]byte]stay // the live sessions by name
	// +checklocks:mu
	awaited map[[16]byte]bool // sessions by name that are still to be restored: see Await
	// +checklocks:mu
	named namedBy
	// +checklocks:mu
	elsewhere elsewhere
	// +checklocks:mu
	reports []session.Used // see unlock
	// +checklocks:mu
	quiet bool // until unlock: nothing is noted
	// +checklocks:mu
	latest int64 // memory's clock at the last check for revocation, Unix ns
	// +checklocks:mu
	saved bool // by Save: what is decided from then on dies with this process
}

// NewGate returns a Gate for config, or an error that names the field that is wrong.
func NewGate(config session.Config) (*Gate, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	limits, err := behaviour.NewLimits(config.Behaviour)
	if err != nil {
		return nil, err
	}
	g := &Gate{
		config: config, limits: limits, sessions: make(map[uint32]*Session), players: make(map[uint64]*Session), memory: newMemory(),
		revoked: revocations{expiring[revocation]{most: config.MaxRevocations}},
		bans:    expiring[ban]{most: config.MaxBans}, absent: absent{most: config.MaxSessions},
		stays: make(map[[16]byte]stay), awaited: make(map[[16]byte]bool), named: newNamedBy(), elsewhere: newElsewhere(),
	}
	var seed [8]byte
	g.random(seed[:])
	g.seed = binary.BigEndian.Uint64(seed[:])
	return g, nil
}

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
	return g.findByName(t.Name)
}

// stay is a live session, and the epoch of the latest ticket of it that this server has answered.
type stay struct {
	session *Session
	epoch   uint32
}

// findByName returns the live session with this name.
//
// +checklocks:g.mu
func (g *Gate) findByName(name [16]byte) *Session { return g.stays[name].session }

// insert adds s to the live sessions. s keeps its id unless another session has it.
//
// +checklocks:g.mu
func (g *Gate) insert(s *Session) {
	for s.id == 0 || g.sessions[s.id] != nil {
		s.id = g.random32()
	}
	g.absent.remove(s.name)
	g.sessions[s.id] = s
	g.stays[s.name] = stay{session: s}
	g.named.add(s.issuer, s.names.Load(), 1)
	g.addToPlayer(s)
}

// remove removes s from the live sessions, if it is one of them.
//
// +checklocks:g.mu
func (g *Gate) remove(s *Session) {
	if g.sessions[s.id] == s {
		delete(g.sessions, s.id)
		if g.stays[s.name].session == s {
			delete(g.stays, s.name)
		}
		g.named.add(s.issuer, s.names.Load(), -1)
		g.removeFromPlayer(s)
	}
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
	defer g.unlock()
	g.remove(s)
	e := g.memory.sessionEntry(s.name, s.issuer, s.subject)
	switch {
	case e.why != audit.DropUsed: // terminate has refused its tickets
	case why == audit.DropNone:
		if g.config.FleetKeys.Enabled() {
			g.absent.add(s)
		}
	case putOut:
		g.putOut(s.name, s.Expires(), why, reasonOfTickets(why))
	default:
		e.why = why
		g.memory.put(sessionKey(s.name), s.Expires(), e)
	}
}

// random32 returns 32 random bits.
func (g *Gate) random32() uint32 {
	var b [4]byte
	g.random(b[:])
	return binary.BigEndian.Uint32(b[:])
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
