package transport

import (
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/clockstep"
)

// clock is time that runs with the monotonic clock and never steps, and the wall
// clock beside it: a step of the system's clock revives no expired token and
// kicks nobody at once. A step that stays is adopted after clockSettle, by what
// is compared with the times in tokens and by nothing else.
//
// now and at are cheap and safe for concurrent use; check belongs to one
// goroutine.
type clock struct {
	base    time.Time        // wall time at start
	start   time.Time        // monotonic
	adopted atomic.Int64     // ns by which the system's clock has been stepped since
	strayed time.Time        // since when the system's clock disagrees; zero if it does not
	jumped  bool             // by more than clockJump, if it does
	checked time.Time        // when check was last called
	wall    func() time.Time // the system's clock
	elapsed func(time.Time) time.Duration
}

func init() {
	clockstep.Server = func(server any, now func() time.Time) {
		server.(*Server).clock.wall = func() time.Time { return now().Round(0) }
	}
}

func newClock() *clock {
	now := time.Now()
	return &clock{
		base: now.Round(0), start: now,
		wall: func() time.Time { return time.Now().Round(0) }, elapsed: time.Since,
	}
}

// now is start time plus what has elapsed since.
func (c *clock) now() time.Time { return c.base.Add(c.elapsed(c.start)) }

// at is the wall clock's time at now.
func (c *clock) at(now time.Time) time.Time { return now.Add(c.ahead()) }

// ahead is by how much the wall clock has been stepped.
func (c *clock) ahead() time.Duration { return time.Duration(c.adopted.Load()) }

// check compares with the system's clock, and adopts a disagreement that lasts. It reports true
// when one of more than clockJump begins.
func (c *clock) check() (alarm bool) {
	now := c.now() // read together with the other: a turn may have stood still
	off := c.wall().Sub(c.at(now))
	jumped := off.Abs() > clockJump
	switch {
	case off.Abs() <= clockDrift:
		c.strayed = time.Time{}
	case c.strayed.IsZero() || jumped != c.jumped:
		c.strayed, c.jumped = now, jumped
		return jumped
	case now.Sub(c.strayed) >= clockSettle:
		c.adopt(off)
	}
	return false
}

// settle adopts a disagreement at once, for the next process begins with the system's clock.
func (c *clock) settle() {
	if off := c.wall().Sub(c.at(c.now())); off.Abs() > clockDrift {
		c.adopt(off)
	}
}

func (c *clock) adopt(off time.Duration) {
	c.adopted.Add(int64(off))
	c.strayed = time.Time{}
}
