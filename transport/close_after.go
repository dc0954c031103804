package transport

import (
	"time"

	"github.com/sallyport/sallyport/session"
)

// closing is a CloseAfter under way.
type closing struct {
	at     time.Duration // at the latest
	reason session.Reason
	detail []string
	done   bool
}

// CloseAfter ends the player's session as Kick does, once every message of the lanes of mode
// Reliable, Ordered and Latest has arrived or been given up, and after wait at the latest. Nothing
// more can be queued on the lanes; what the player sends is received as before. Without lanes, and
// once Shutdown has begun, it is Kick.
func (p *Player) CloseAfter(wait time.Duration, reason session.Reason, detail ...string) {
	if !p.closeAfter(&closing{reason: reason, detail: detail}, wait) {
		p.Kick(reason, detail...)
	}
}

func (p *Player) closeAfter(c *closing, wait time.Duration) bool {
	s := p.shard
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	m := p.messages
	if m == nil || s.server.lifetime.leaving.Load() { // by then closeNow may have looked
		return false
	}
	if m.closing == nil {
		s.schedule.advance(s.server.clock.now())
		c.at = s.schedule.now + min(max(wait, 0), never-s.schedule.now)
		m.closing = c
		s.schedule.touch(m)
		s.Out.FlushUnlessHeld()
	}
	return true
}

// check ends the session if it is time, and returns when to look again.
func (c *closing) check(now time.Duration, m *messages) time.Duration {
	switch {
	case c.done:
		return never
	case now < c.at && !m.endpoint.Idle():
		return c.at
	}
	c.end(m)
	return never
}

// end ends the session, once.
func (c *closing) end(m *messages) {
	if !c.done {
		c.done = true
		m.player.Kick(c.reason, c.detail...)
	}
}
