package transport

import (
	"context"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// fakeClock is a clock whose two sources the test sets.
func fakeClock() (c *clock, wall *time.Time, elapsed *time.Duration) {
	c = newClock()
	base := c.base
	wall, elapsed = &base, new(time.Duration)
	c.wall = func() time.Time { return *wall }
	c.elapsed = func(time.Time) time.Duration { return *elapsed }
	return c, wall, elapsed
}

// "A wall-clock jump over 30 s alarms and is adopted only if it lasts 60 s, so a
// clock stepping back revives nothing and one stepping forward kicks nobody at
// once."
func TestClockStep(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{time.Hour, -time.Hour, clockJump + 1, -clockJump - 1} {
		c, wall, elapsed := fakeClock()
		start := c.now()
		pass := func(d time.Duration) bool {
			*wall, *elapsed = wall.Add(d), *elapsed+d
			return c.check()
		}
		if pass(time.Second) {
			t.Error("an alarm without a step")
		}
		*wall = wall.Add(step)
		if !pass(time.Second) {
			t.Errorf("%v: no alarm", step)
		}
		for i := range 59 {
			if pass(time.Second) {
				t.Errorf("%v: another alarm", step)
			}
			if c.ahead() != 0 {
				t.Errorf("%v: adopted after %d s", step, i+1)
			}
		}
		if pass(time.Second) || c.at(c.now()) != *wall {
			t.Errorf("%v: not adopted after 60 s", step)
		}
		if got := c.now().Sub(start); got != *elapsed {
			t.Errorf("%v: time itself went by %v in %v", step, got, *elapsed)
		}
		if pass(time.Second) {
			t.Errorf("%v: an alarm after it was adopted", step)
		}
	}
}

// A step of up to 30 s is no alarm. It is adopted, too, if it lasts 60 s and is of more than 1 s.
func TestClockSmallStep(t *testing.T) {
	t.Parallel()
	for _, size := range []time.Duration{0, clockDrift, clockDrift + 1, 20 * time.Second, clockJump} {
		for _, step := range []time.Duration{size, -size} {
			c, wall, elapsed := fakeClock()
			*wall = wall.Add(step)
			for i := range 120 {
				*wall, *elapsed = wall.Add(time.Second), *elapsed+time.Second
				if c.check() {
					t.Errorf("%v: an alarm", step)
				}
				want := time.Duration(0)
				if i >= 60 && size > clockDrift {
					want = step
				}
				if c.ahead() != want {
					t.Fatalf("%v: %v ahead after %d s, want %v", step, c.ahead(), i, want)
				}
			}
		}
	}
}

// What comes back within 60 s was nothing.
func TestClockStray(t *testing.T) {
	t.Parallel()
	c, wall, elapsed := fakeClock()
	pass := func(d time.Duration) bool {
		*wall, *elapsed = wall.Add(d), *elapsed+d
		return c.check()
	}
	for _, step := range []time.Duration{clockJump, -2 * clockJump} {
		if *wall = wall.Add(step); pass(time.Second) {
			t.Errorf("an alarm for %v", step)
		}
	}
	*wall = wall.Add(clockJump + time.Hour)
	if !pass(time.Second) || pass(50*time.Second) {
		t.Error("not one alarm")
	}
	*wall = wall.Add(-time.Hour)
	if pass(time.Second) {
		t.Error("an alarm for the way back")
	}
	*wall = wall.Add(time.Hour)
	if !pass(time.Second) || pass(59*time.Second) || c.ahead() != 0 {
		t.Error("the time before counts for the new step")
	}
	*wall = wall.Add(20*time.Second - time.Hour)
	if pass(time.Second) || pass(59*time.Second) || c.ahead() != 0 {
		t.Error("the time of a wide step counts for what is left of it")
	}
}

// serveWithClock serves with a wall clock that the test steps by off, in ns.
func (w *world) serveWithClock(configure ...func(*Config)) (s *Server, off *atomic.Int64) {
	s, off = w.listen(configure...), new(atomic.Int64)
	s.clock.wall = func() time.Time { return time.Now().Add(time.Duration(off.Load())).Round(0) }
	w.serving.Go(func() { w.served = s.Serve(w.match.handler()) })
	return s, off
}

// The alarm reaches the audit once, as any record with who has made it, players stay through a step that goes away,
// and limits are kept by elapsed time.
func TestServerClockStep(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		virtual(t, func(w *world) {
			_, off := w.serveWithClock()
			c := w.dial(1)
			synctest.Wait()
			off.Store(int64(step))
			for range 50 {
				w.echo(c, "here")
				time.Sleep(time.Second)
			}
			off.Store(0)
			time.Sleep(time.Minute)
			w.echo(c, "here")
			if n := w.audited("alarm"); n != 1 {
				w.Errorf("%d alarms", n)
			}
			for _, e := range w.audit.all() {
				if e.Version != "sallyport protocol 1" {
					w.Errorf("%v says nothing of who has recorded it", e)
				}
			}
			w.quiet()
		})
	}
}

// A step that is adopted ends no session that is not past its token's expiry:
// what lasts is measured by elapsed time, whichever way the clock went.
func TestAdoptedStep(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{5 * time.Minute, -time.Hour} {
		virtual(t, func(w *world) {
			s, off := w.serveWithClock()
			c := w.dial(1)
			synctest.Wait()
			off.Store(int64(step))
			for range 90 {
				w.echo(c, "here")
				time.Sleep(time.Second)
			}
			if got := s.clock.ahead(); got != step {
				w.Errorf("the wall clock is %v ahead, want %v", got, step)
			}
			w.net.Tap(func(from, _ netip.AddrPort, _ []byte) bool { return from != playerAddr(1) })
			time.Sleep(session.DefaultIdle + 2*dtls.SweepInterval)
			if n := s.Stats().Sessions; n != 0 {
				w.Errorf("%v: a silent player is still there after the idle time", step)
			}
			w.net.Tap(nil)
		})
	}
}

// The system's clock is set by 20 s, and tokens are issued by the clock as it is then: once the
// step has lasted for a minute, players join and renew.
func TestSmallStepIsFollowed(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{20 * time.Second, -20 * time.Second} {
		virtual(t, func(w *world) {
			s, off := w.serveWithClock()
			issued := func(c *ClientConfig) {
				c.Token = func(context.Context) ([]byte, error) {
					raw, err := w.issuer.Mint(time.Now().Add(time.Duration(off.Load())), grantFor(1))
					return []byte(raw), err
				}
			}
			c := w.dial(1, issued)
			off.Store(int64(step))
			time.Sleep(2 * time.Minute)
			w.dial(2, issued)
			if got := s.clock.ahead(); got != step || w.audited("alarm") != 0 {
				w.Errorf("the wall clock is %v ahead, want %v; %d alarms", got, step, w.audited("alarm"))
			}
			time.Sleep(token.DefaultLife)
			w.echo(c, "here")
			if w.audited("renew") < 2 {
				w.Error("nobody has renewed")
			}
			w.quiet()
		})
	}
}

// "If the wall clock has stepped before, what is left of a session and of what is remembered MUST NOT become less
// in the successor." docs/fleet.md 8.4: nor does it if the step has not lasted for as long as to be adopted.
func TestStepJustBeforeHandover(t *testing.T) {
	t.Parallel()
	for _, lasts := range []time.Duration{0, time.Second, clockSettle + 2*dtls.SweepInterval} {
		virtual(t, func(w *world) {
			const step = 24 * time.Hour
			fleet := w.fleet(t)
			s, off := w.serveWithClock(fleet)
			w.echo(w.dial(1), "here")
			off.Store(int64(step))
			time.Sleep(lasts)
			if err := s.Shutdown(context.Background()); err != nil {
				w.Fatal(err)
			}
			file, err := os.Open(s.config.Snapshot)
			if err != nil {
				w.Fatal(err)
			}
			defer file.Close()
			snap, err := resume.Read(file, s.config.Session.FleetKeys, time.Now())
			if err != nil || len(snap.Sessions) != 1 || snap.Clock.Behind != int64(step) {
				w.Fatalf("%+v, %v", snap, err)
			}
			if r := snap.Sessions[0]; r.Ends != r.Standing.Expires+step.Milliseconds() {
				w.Errorf("%v: the session ends at %v, its token expires at %v", lasts, r.Ends, r.Standing.Expires)
			}
		})
	}
}
