package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/fingerprint"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// stepUp is a fresh identity token that the client owes, and the time left to present it. The time
// runs while the client, as far as the server can tell, could present one and does not (PROTOCOL.md
// 4.9). It pauses
//
//   - at home, the network that the session is bound to;
//   - during the first silence of silenceTime or more, in which no NOTICE may have arrived;
//   - while a plausible token waits for this server or its issuer, for maxTokenWait in all;
//   - while the server itself hangs and repeats no NOTICE.
type stepUp struct {
	left        time.Duration // as of accounted
	accounted   time.Time     // left accounts for the time until here
	ticked      time.Time     // the last Tick
	homeSince   time.Time     // when the client returned home; zero while it is away
	silenceUsed bool          // the silence that does not count is over
	waiting     bool          // a plausible token waits for its verification
	waitLeft    time.Duration // how long that may still pause the time
	notice      time.Time     // the last NOTICE
}

func newStepUp(now time.Time, limit time.Duration) *stepUp {
	return &stepUp{left: limit, accounted: now, ticked: now, waitLeft: maxTokenWait}
}

// advance accounts for the time until now, when a datagram of the client was accepted.
func (s *stepUp) advance(now time.Time) {
	if !s.homeSince.IsZero() {
		return
	}
	gap := earlier(now, s.ticked.Add(hangTime)).Sub(s.accounted)
	if now.After(s.accounted) {
		s.accounted = now
	}
	if gap <= 0 {
		return
	}
	if s.waiting {
		waited := min(gap, s.waitLeft)
		s.waitLeft -= waited
		gap -= waited
	}
	if gap >= silenceTime && !s.silenceUsed {
		s.silenceUsed = true
		return
	}
	s.left -= gap
}

// remaining returns the time left at now, when the client may still be silent.
func (s *stepUp) remaining(now time.Time) time.Duration {
	t := *s
	t.advance(now)
	return t.left
}

// wait starts or stops the pause for a token that waits for its verification.
func (s *stepUp) wait(now time.Time, waiting bool) {
	s.advance(now)
	s.waiting = waiting
}

// enterHome pauses the time, because the client is at home.
func (s *stepUp) enterHome(now time.Time) {
	s.advance(now)
	s.homeSince = now
}

// leaveHome resumes the time.
func (s *stepUp) leaveHome(now time.Time) { s.homeSince, s.accounted = time.Time{}, now }

// isSettled reports whether the client has been at home for so long that no token is owed any more.
func (s *stepUp) isSettled(now time.Time) bool {
	return !s.homeSince.IsZero() && now.Sub(s.homeSince) >= homeTime
}

// stepUpTick is the part of Tick for a step up: it repeats NOTICE until the client complies or the
// time is over.
func (c *Conn) stepUpTick(now time.Time, ev Event) (Reply, Event) {
	s := c.doubt.step
	s.advance(c.since)
	left := s.remaining(now)
	s.ticked = now
	switch {
	case s.isSettled(now):
		c.doubt.step = nil
		return Reply{}, ev
	case left <= 0:
		return c.lapseStepUp(now)
	case now.Sub(s.notice) < noticeInterval:
		return Reply{}, ev
	}
	s.notice = now
	body := wire.NoticeBody{Code: wire.NoticeStepUp, Within: uint32(left.Milliseconds())}
	return Reply{Kind: wire.KindNotice, Body: body.AppendTo(nil)}, ev
}

// lapseStepUp closes a connection whose client is away and has not presented the token of a step
// up, or may not be away at all. The session's tickets stay valid, but only from the network that
// they are bound to.
func (c *Conn) lapseStepUp(now time.Time) (Reply, Event) {
	c.confine(now)
	reply, ev := c.close(audit.DropFingerprint, wire.ReasonFingerprint)
	ev.Part, ev.Cause = fingerprint.PartNetwork, CauseNetwork
	return reply, ev
}

// confine restricts the tickets that the session has now to the network that they are bound to.
func (c *Conn) confine(now time.Time) {
	epoch, expires := c.current.number, c.session.Expires()
	if c.next != nil {
		epoch, expires = c.next.number, c.pending.claims.Expires
	}
	c.confined = true
	c.gate.confine(c.gate.kept(now), c.session.name, epoch, expires)
}

// plausible reports whether a token whose signature has not been verified could be the one that a
// step up asks for.
func (c *Conn) plausible(now time.Time, raw []byte) bool {
	unverified := c.gate.config.Unverified
	if unverified == nil {
		return true
	}
	claims, err := unverified(c.gate.wall(now), raw)
	return err == nil && claims != nil && c.follows(claims) == CauseNone
}

// confine restricts the tickets of a session, up to an epoch, to the network that they are bound
// to.
func (g *Gate) confine(now time.Time, name [16]byte, epoch uint32, expires time.Time) {
	g.mu.Lock()
	defer g.unlock()
	g.memory.advance(now)
	e := g.memory.sessionEntry(name, "", "")
	e.confined = max(e.confined, epoch)
	g.memory.put(sessionKey(name), expires, e)
	g.noteTickets(session.UsedNetwork, name, e.confined)
}

// confines reports whether the ticket of an epoch resumes its session at home only.
func (g *Gate) confines(name [16]byte, epoch uint32) bool { return epoch <= g.confinedTo(name) }

// confinedTo returns the epoch up to which the tickets of a session resume it at home only, 0 for none.
func (g *Gate) confinedTo(name [16]byte) uint32 {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := sessionKey(name)
	e, _ := g.memory.lookup(key)
	return max(e.confined, g.find(&g.elsewhere.used, key).confined)
}
