package machine

import (
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/resume"
)

// clockSteps is what is known of the wall clock's steps against the times that machines are given, which
// never step. Nobody can tell whether a clock was wrong before a step or is wrong after it. So each
// thing is judged by the clock that harms nobody:
//
//	identity tokens                          the wall clock
//	a session's life                         what was left of it when it was admitted or renewed
//	used tokens, put-out sessions, bans,     memory's clock, which goes back with the wall clock at
//	revocations                              once, and follows it forward after holdStep
//	bans that are given meanwhile            the wall clock, unless that steps forward again
//	tickets of before a step forward         memory's clock, as long as it is held
//
// So a clock that is set ahead ends no session, and one that is set ahead and back within holdStep
// has nobody forgotten who must not come again. A snapshot carries memory's clock, and what is left of
// each session, to the next process, which begins with a wall clock that may be wrong.
type clockSteps struct {
	ahead   atomic.Int64 // ns by which the wall clock is ahead of the times given
	kept    atomic.Int64 // ns by which memory's clock is; at most ahead
	stepped atomic.Int64 // the wall clock just after it stepped forward, Unix ns; while kept is less than ahead

	until time.Time // when memory's clock follows, of the times given; under Gate.mu
}

// holdStep is for how long memory's clock does not follow the wall clock forward: a day, in which
// the alarm is heard and everything expires that was issued before. It is shorter if the memory of
// used tokens becomes three quarters full: no newcomer is refused for it.
const holdStep = 24 * time.Hour

// StepClock sets how far the wall clock is ahead, in total, of the times that machines are given, at
// such a time. It is zero at first. Call it before Sweep.
func (g *Gate) StepClock(now time.Time, ahead time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := &g.steps
	behind := c.behind()
	former := c.ahead.Swap(int64(ahead))
	switch {
	case int64(ahead) <= c.kept.Load():
		c.kept.Store(int64(ahead))
	case former != int64(ahead):
		c.stepped.Store(g.wall(now).UnixNano())
		c.until = now.Add(holdStep)
	case !now.Before(c.until) || g.memory.crowded(g.config.MaxSessions, len(g.sessions)):
		c.kept.Store(int64(ahead))
	}
	if now := c.behind(); now < behind {
		g.followBans(now)
	}
}

// behind returns by how many ns memory's clock is behind the wall clock.
func (c *clockSteps) behind() int64 { return c.ahead.Load() - c.kept.Load() }

// save returns memory's clock for the next process.
func (c *clockSteps) save() resume.Clock {
	if behind := c.behind(); behind > 0 {
		return resume.Clock{Behind: behind, Stepped: c.stepped.Load()}
	}
	return resume.Clock{}
}

// restore goes on with the memory's clock of the process before, as long as that one would have. Times
// given are the wall clock's until that steps.
func (c *clockSteps) restore(s resume.Clock) {
	c.kept.Store(-s.Behind)
	c.stepped.Store(s.Stepped)
	c.until = time.Unix(0, s.Stepped).Add(holdStep)
}

// wall returns the wall clock at a time that a machine was given.
func (g *Gate) wall(now time.Time) time.Time { return now.Add(time.Duration(g.steps.ahead.Load())) }

// kept returns memory's clock at a time that a machine was given.
func (g *Gate) kept(now time.Time) time.Time { return now.Add(time.Duration(g.steps.kept.Load())) }

// lapses returns at which of the times given something is over that expires at a time by the wall
// clock, both in Unix ns.
func (g *Gate) lapses(expires int64) int64 {
	ahead, kept := g.steps.ahead.Load(), g.steps.kept.Load()
	if kept < ahead && expires <= g.steps.stepped.Load() {
		return expires - kept // it is of before the step
	}
	return expires - ahead
}
