package nakamabridge

import (
	"sync"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
)

// seat is a player in a match: a socket's presence, perhaps with UDP, or a UDP-only player's.
type seat struct {
	presence runtime.Presence
	virtual  *virtual // the presence of a UDP-only player, otherwise nil
	udp      *member  // nil without UDP; never nil with virtual
}

// reachable returns the seat's UDP session if messages may be sent to it.
func (s *seat) reachable() *member {
	if s == nil || s.udp == nil || s.udp.out.Load() {
		return nil
	}
	return s.udp
}

// seats are the players in a match. The match's goroutine alone changes them, with mu held; so it
// reads them without, and every other goroutine that uses the match's dispatcher holds mu.
type seats struct {
	mu        sync.Mutex
	bySession map[string]*seat // socket's or virtual's session id
	udp       int              // seats with UDP
	over      bool             // the match has ended

	// The match's goroutine's.
	virtuals map[string]*seat   // UDP-only players by user id
	waiting  map[string]*member // for their socket, by its session id
}

func (s *seats) init() {
	s.bySession, s.virtuals, s.waiting = map[string]*seat{}, map[string]*seat{}, map[string]*member{}
}

// sit gives a socket's presence its seat, and binds the UDP session that waits for it.
func (s *seats) sit(p runtime.Presence) {
	sid := p.GetSessionId()
	s.mu.Lock()
	if s.bySession[sid] == nil {
		s.bySession[sid] = &seat{}
	}
	s.bySession[sid].presence = p
	s.mu.Unlock()
	if m := s.waiting[sid]; m != nil {
		delete(s.waiting, sid)
		s.bind(m)
	}
}

// bind gives m the seat of its socket, or lets it wait for one.
func (s *seats) bind(m *member) {
	at := s.bySession[m.sessionID]
	switch {
	case at == nil:
		if old := s.waiting[m.sessionID]; old != nil {
			old.giveWay(m)
		}
		s.waiting[m.sessionID] = m
	case at.virtual != nil || at.presence.GetUserId() != m.userID:
		m.kick(session.ReasonScope) // a token names its own session, so an honest client cannot get here
	default:
		s.take(at, m)
	}
}

// take gives the seat to m, in place of any session that used it before.
func (s *seats) take(at *seat, m *member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.udp == nil {
		s.udp++
	} else {
		at.udp.seat = nil
		at.udp.giveWay(m)
	}
	at.udp, m.seat = m, at
}

// sitVirtual gives a UDP-only player a seat.
func (s *seats) sitVirtual(v *virtual, m *member) {
	at := &seat{presence: v, virtual: v}
	s.mu.Lock()
	s.bySession[v.SessionID], s.virtuals[v.UserID] = at, at
	s.mu.Unlock()
	s.take(at, m)
}

// rise removes a seat and ends its UDP session.
func (s *seats) rise(sessionID string, reason session.Reason) {
	at := s.bySession[sessionID]
	if at == nil {
		return
	}
	s.mu.Lock()
	delete(s.bySession, sessionID)
	s.mu.Unlock()
	if at.virtual != nil {
		delete(s.virtuals, at.virtual.UserID)
	}
	if at.udp != nil {
		if !at.udp.out.Load() { // else it has ended, or does so behind its last messages
			at.udp.kick(reason)
		}
		s.release(at.udp)
	}
}

// release ends a session's use of its seat. A socket keeps the seat.
func (s *seats) release(m *member) {
	if s.waiting[m.sessionID] == m {
		delete(s.waiting, m.sessionID)
	}
	if m.seat != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		m.seat.udp, m.seat = nil, nil
		s.udp--
	}
}

// expire kicks sessions that have waited too long for their socket.
func (s *seats) expire() {
	if len(s.waiting) == 0 {
		return
	}
	now := time.Now()
	for sid, m := range s.waiting {
		if now.Sub(m.since) >= JoinWait {
			delete(s.waiting, sid)
			m.kick(session.ReasonScope, "the socket has not joined the match")
		}
	}
}

// part ends the session of the UDP-only player whose presence has this session id, if there is one.
// It may be called by any goroutine.
func (s *seats) part(sessionID string, why runtime.PresenceReason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.bySession[sessionID]; at != nil && at.virtual != nil && at.udp != nil {
		at.udp.part(why)
	}
}

// finish has broadcasts go to Nakama alone from now on.
func (s *seats) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}
