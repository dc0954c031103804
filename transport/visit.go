package transport

import (
	"context"
	"sync"
	"time"
)

// Visit calls f for the players of the server, one at a time, until f returns false. Each call
// belongs to the turn of the player's shard: f may call Player.Stats, must not block, and holds up
// the match for as long as it takes. Visit returns once every shard has had a turn: soon with
// Serve, and with the next Poll otherwise. If ctx ends before, it returns ctx's error, and
// ErrServerClosed if the server is closed; f is not called after Visit has returned. It must not be
// called from a Handler, nor from f.
//
// It is meant for a status page that looks now and then, and for health checks: a server whose turn
// does not come does not serve its players either.
func (s *Server) Visit(ctx context.Context, f func(*Player) bool) error {
	v := &tour{f: f}
	defer v.end()
	closed := s.endpoint.Context().Done()
	for sh := range s.shards {
		done := make(chan struct{})
		sh.Post(visited{v, sh, done})
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			return ErrServerClosed
		}
	}
	return nil
}

// tour is a call of Visit.
type tour struct {
	mu sync.Mutex
	// +checklocks:mu
	f func(*Player) bool // nil once it is to see nobody any more
}

// end has the tour see nobody any more.
func (v *tour) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.f = nil
}

// visited is a shard on a tour.
type visited struct {
	tour  *tour
	shard *shard
	done  chan struct{} // closed once the shard's players have been seen
}

func (m visited) Deliver(time.Time) {
	defer close(m.done)
	v := m.tour
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.f == nil {
		return
	}
	ps := &m.shard.players
	ps.mu.RLock() // the list changes in this turn only
	defer ps.mu.RUnlock()
	for _, p := range ps.list {
		if !v.f(p) {
			v.f = nil
			return
		}
	}
}
