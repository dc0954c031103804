package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
)

// stepUp is a fresh identity token that the player owes, and the time that is left to show it. The time runs only while
// the player could show one and does not (PROTOCOL.md 4.9). It stands still
//
//   - at home, the network that the session is bound to;
//   - during the first silence of silenceTime or more, in which no NOTICE may have arrived;
//   - while a token that fits waits for this server or its issuer, for maxPatience in all;
//   - while the server itself hangs, and repeats no NOTICE.
type stepUp struct {
	left        time.Duration // as of at
	accounted   time.Time     // up to which left is accounted for
	ticked      time.Time     // when the server last looked at it
	homeSince   time.Time     // when the player came home; zero while it is away
	silenceUsed bool          // the silence that does not count is over
	waiting     bool          // a token that fits waits for its verdict
	waitLeft    time.Duration // for which that may still stop the time
	notice      time.Time     // when the last NOTICE was sent
}

func newStepUp(now time.Time, limit time.Duration) *stepUp {
	return &stepUp{left: limit, accounted: now, ticked: now, waitLeft: maxTokenWait}
}

// spend accounts for the time until now, when something of the player's was accepted.
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

// remaining returns what is left at a time at which the player may still be silent.
func (s *stepUp) remaining(now time.Time) time.Duration {
	t := *s
	t.advance(now)
	return t.left
}

// wait starts and stops the wait for the verdict on a token that fits.
func (s *stepUp) wait(now time.Time, waiting bool) {
	s.advance(now)
	s.waiting = waiting
}

// arrive stops the time, since the player is at home.
func (s *stepUp) enterHome(now time.Time) {
	s.advance(now)
	s.homeSince = now
}

// depart lets the time run again where it stood.
func (s *stepUp) leaveHome(now time.Time) { s.homeSince, s.accounted = time.Time{}, now }

// settled reports whether the player has been at home for so long that nothing is owed any more.
func (s *stepUp) isSettled(now time.Time) bool {
	return !s.homeSince.IsZero() && now.Sub(s.homeSince) >= homeTime
}

// stepUpTick is a Tick's part in a step up: NOTICE is repeated until the player obeys or the time is over.
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
		return c.overdue(now)
	case now.Sub(s.notice) < noticeInterval:
		return Reply{}, ev
	}
	s.notice = now
	body := wire.NoticeBody{Code: wire.NoticeStepUp, Within: uint32(left.Milliseconds())}
	return Reply{Kind: wire.KindNotice, Body: body.AppendTo(nil)}, ev
}

// overdue ends a connection whose player is away and has not shown the token that a step up asks for, or may not be
// away at all. The session's tickets stay good, but only from the network that they are bound to.
func (c *Conn) overdue(now time.Time) (Reply, Event) {
	c.confine(now)
	reply, ev := c.close(audit.DropFingerprint, wire.ReasonFingerprint)
	ev.Part = policy.PartNetwork
	return reply, ev
}

// confine has the tickets that the session has now resume it from the network that they are bound to and no other.
func (c *Conn) confine(now time.Time) {
	epoch, expires := c.current.number, c.session.Expires()
	if c.next != nil {
		epoch, expires = c.next.number, c.pending.claims.Expires
	}
	c.confined = true
	c.gate.confine(c.gate.wall(now), c.session.name, epoch, expires)
}

// fits reports whether a token whose signature has not been checked could be the one that a step up asks for.
func (c *Conn) fits(now time.Time, raw []byte) bool {
	unverified := c.gate.config.Unverified
	if unverified == nil {
		return true
	}
	claims, err := unverified(c.gate.wall(now), raw)
	return err == nil && c.follows(claims) == audit.DropNone
}

// confine has the tickets of a session, up to an epoch, resume it from the network that they are bound to only.
func (g *Gate) confine(now time.Time, name [16]byte, epoch uint32, expires time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.memory.advance(now)
	e := g.memory.sessionEntry(name, "", "")
	e.confined = max(e.confined, epoch)
	g.memory.put(sessionKey(name), expires, e)
}

// confines reports whether the ticket of an epoch resumes its session at home only.
func (g *Gate) confines(name [16]byte, epoch uint32) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, _ := g.memory.lookup(sessionKey(name))
	return epoch <= e.confined
}
