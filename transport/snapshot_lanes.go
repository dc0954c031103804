package transport

import (
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/resume"
)

// saveLanes adds the state of a player's lanes to what has been agreed on for them, nil if there are
// none. It reports false if they take more room than a snapshot has: then the session is left out,
// its player comes back by ticket, and the new generation of its lanes tells the client what is lost.
//
// +checklocks:s.Out.Mu
func (n *snapshot) saveLanes(s *shard, m *messages, into *resume.Lanes) bool {
	if m == nil || into == nil {
		return m == nil && into == nil
	}
	m.closing = &closing{done: true} // nothing more can be queued
	state, ok := m.endpoint.AppendSnapshot(nil, s.schedule.now, n.w.RoomForLanes(into), m)
	into.State = state
	return ok
}

// leaveMessages takes the lanes off a player whose session has been handed on: what is unfinished is
// not lost.
func (p *Player) leaveMessages() {
	s := p.shard
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	if m := p.messages; m != nil {
		s.schedule.forget(m)
		m.endpoint.Close(nil)
		p.messages = nil
	}
}

// closings takes what waiting CloseAfters have yet to do.
func (s *shard) closings() (list []kicked) {
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	for _, c := range s.Table.All() {
		if p := connOf(c).player; p != nil && p.messages != nil && p.messages.closing != nil {
			w := p.messages.closing
			w.done = true
			list = append(list, kicked{p, w.reason, strings.Join(w.detail, " ")})
		}
	}
	return list
}

// restoreLanes returns the lanes of a session, nil if it has none. It reports false if they cannot go
// on here.
func (m restored) restoreLanes(now time.Time, r *resume.Session) (e *lanes.Endpoint, ok bool) {
	s := m.shard
	agreed, ok := s.server.gate.SavedLanes(r)
	if !ok || agreed == nil {
		return nil, ok
	}
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	q := &s.schedule
	q.advance(now)
	away := min(max(s.server.clock.at(now).Sub(m.made), 0), resume.SnapshotLife) // messages grow old meanwhile
	e, err := lanes.Restore(lanesConfig(agreed, r.Sequence+1, q.numbers.next), q.now-away, r.Lanes.State)
	return e, err == nil
}

// restoreMessages gives the player lanes that go on, before the player joins.
func (p *Player) restoreMessages(e *lanes.Endpoint) {
	s := p.shard
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	p.messages = &messages{player: p, endpoint: e}
	s.schedule.players++
}
