package machine

import (
	"math/rand/v2"
	"testing"
	"time"
)

// clocks are a client's clock, a server's that runs faster or slower, and what the client knows of it.
type clocks struct {
	testing.TB
	clock
	now   time.Duration // of the client
	ahead time.Duration // by how much the server's clock was ahead at 0
	rate  float64       // by how much it runs faster
	last  ServerTime
}

func (c *clocks) local() time.Time { return begin.Add(c.now) }

// server is the time that the server's clock shows at a time of the client's.
func (c *clocks) server(at time.Duration) time.Time {
	return begin.Add(c.ahead + at + time.Duration(c.rate*float64(at)))
}

// passes lets time pass, and compares what is shown with what is true.
func (c *clocks) passes(d time.Duration) {
	c.Helper()
	c.now += d
	s := c.time(c.local())
	if s.Clock == 0 {
		return
	}
	if off := s.Time.Sub(c.server(c.now)).Abs(); off > s.Bound {
		c.Fatalf("after %v: off by %v, bound %v", c.now, off, s.Bound)
	}
	if step := s.Time.Sub(c.last.Time); s.Clock == c.last.Clock && (step < d-d/20-2 || step > d+d/20+2) {
		c.Fatalf("after %v: %v passed in %v", c.now, step, d)
	}
	c.last = s
}

// pings has a PING and its PONG take these times, and the server take a while to answer.
func (c *clocks) pings(up, rest, down time.Duration) {
	c.Helper()
	sent := c.local()
	c.passes(up)
	received := c.server(c.now)
	c.passes(rest)
	answered := c.server(c.now)
	c.passes(down)
	c.add(sent, c.local(), received.UnixMicro(), answered.UnixMicro())
	c.passes(0)
}

// pongs is pings for a clock that has just become another one.
func (c *clocks) pongs(rtt time.Duration) {
	sent, at := c.local(), c.server(c.now+rtt/2).UnixMicro()
	c.now += rtt
	c.add(sent, c.local(), at, at)
	c.last = c.time(c.local())
}

func (c *clocks) bound() time.Duration { return c.time(c.local()).Bound }

// "The error is at most half of the time that the two datagrams were on their way." PROTOCOL.md 3.7.
// The worst is that all of it went into one way.
func TestClockAsymmetric(t *testing.T) {
	for _, up := range []time.Duration{0, 1, 30 * time.Millisecond, 59 * time.Millisecond, 60 * time.Millisecond} {
		c := &clocks{TB: t, ahead: -3 * time.Hour}
		c.pings(up, 7*time.Millisecond, 60*time.Millisecond-up)
		if b := c.bound(); b < 30*time.Millisecond || b > 30*time.Millisecond+20*time.Microsecond {
			t.Errorf("%v up: bound %v", up, b)
		}
		off := c.time(c.local()).Time.Sub(c.server(c.now))
		if want := up - 30*time.Millisecond; (off - want).Abs() > 20*time.Microsecond {
			t.Errorf("%v up: off by %v, want %v", up, off, want)
		}
	}
}

// "A client SHOULD keep what all PONGs together allow, widened by how far clocks drift apart: a slow
// datagram then changes nothing." PROTOCOL.md 3.7. The quickest datagram of each direction counts,
// also of different round trips.
func TestClockTakesTheQuickest(t *testing.T) {
	c := &clocks{TB: t, ahead: time.Hour}
	c.pings(10*time.Millisecond, 0, 100*time.Millisecond)
	c.pings(100*time.Millisecond, 0, 10*time.Millisecond)
	if b := c.bound(); b > 55*time.Millisecond+100*time.Microsecond {
		t.Errorf("bound %v before the time has moved", b)
	}
	for range 10 {
		c.passes(100 * time.Millisecond)
	}
	if b := c.bound(); b > 10*time.Millisecond+time.Second/clockDrift+100*time.Microsecond {
		t.Errorf("bound %v", b)
	}
	before, bound := c.time(c.local()), c.bound()
	c.pings(2*time.Second, 0, 20*time.Millisecond)
	after := c.time(c.local())
	if passed := after.Time.Sub(before.Time); (passed - 2020*time.Millisecond).Abs() > time.Microsecond {
		t.Errorf("a slow PING moved the time by %v", passed-2020*time.Millisecond)
	}
	if grown := after.Bound - bound; grown < 0 || grown > 2020*time.Millisecond/clockDrift+2 {
		t.Errorf("a slow PING changed the bound by %v", grown)
	}
}

// Under any schedule of PINGs, delays and drift within what is assumed, the time is right up to the
// bound, and never jumps.
func TestClockProperty(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		upTo := func(d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d) + 1)) }
		c := &clocks{TB: t, ahead: upTo(48*time.Hour) - 24*time.Hour, rate: (2*rng.Float64() - 1) * 1.9 / 10_000}
		up, down, jitter := upTo(200*time.Millisecond), upTo(200*time.Millisecond), 1+upTo(100*time.Millisecond)
		for range 200 {
			rest := time.Duration(0)
			if rng.IntN(4) == 0 {
				rest = upTo(50 * time.Millisecond)
			}
			c.pings(up+upTo(jitter), rest, down+upTo(jitter))
			for left := upTo(5 * time.Second); left > 0; left -= 250 * time.Millisecond {
				c.passes(min(left, 250*time.Millisecond))
			}
		}
		if c.number != 1 {
			t.Fatalf("seed %d: clock %d", seed, c.number)
		}
		if limit := (up+down)/2 + jitter + 50*time.Millisecond; c.bound() > limit {
			t.Errorf("seed %d: bound %v after a jitter of %v", seed, c.bound(), jitter)
		}
	}
}

// At another server the time is unknown until a PONG, and then another clock's. With the same lanes it
// goes on, unless the PONG tells another time.
func TestClockAfterResumption(t *testing.T) {
	quick := func(c *clocks) { c.pings(5*time.Millisecond, 0, 15*time.Millisecond) }
	c := &clocks{TB: t}
	quick(c)
	if s := c.time(c.local()); s.Clock != 1 {
		t.Fatalf("%+v", s)
	}
	c.follow(true)
	c.passes(time.Second)
	quick(c)
	if s := c.time(c.local()); s.Clock != 1 {
		t.Errorf("the same server: %+v", s)
	}
	c.follow(true) // a new process, whose clock began a little later
	c.ahead += 5 * time.Millisecond
	c.pongs(20 * time.Millisecond)
	c.passes(time.Second)
	if s := c.time(c.local()); s.Clock != 1 {
		t.Errorf("a process with almost the same clock: %+v", s)
	}
	c.follow(true)
	c.ahead -= time.Minute
	c.pongs(20 * time.Millisecond)
	c.passes(time.Second)
	if s := c.time(c.local()); s.Clock != 2 {
		t.Errorf("a process with another clock: %+v", s)
	}
	c.follow(false)
	if s := c.time(c.local()); s != (ServerTime{}) {
		t.Errorf("another server before its first PONG: %+v", s)
	}
	c.ahead += time.Second
	quick(c)
	if s := c.time(c.local()); s.Clock != 3 {
		t.Errorf("another server: %+v", s)
	}
}

// A clock that was stopped or set becomes another one with the first PONG that says so.
func TestClockSet(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, time.Hour} {
		c := &clocks{TB: t}
		c.pings(5*time.Millisecond, 0, 5*time.Millisecond)
		c.ahead += step
		c.pongs(10 * time.Millisecond)
		c.passes(time.Second)
		if c.number != 2 {
			t.Errorf("a step of %v: clock %d", step, c.number)
		}
	}
}

// Times that cannot be are no times.
func TestClockOfALiar(t *testing.T) {
	c := &clocks{TB: t}
	c.pings(5*time.Millisecond, 0, 5*time.Millisecond)
	want := c.clock
	sent, now := c.local().Add(-time.Millisecond), c.local()
	at := c.server(c.now).UnixMicro()
	for _, times := range [][2]int64{{at, at - 1}, {at, at + 1003}, {clockMax + 1, clockMax + 1}, {-clockMax - 1, at}, {at, 1<<63 - 1}, {-1 << 63, 1<<63 - 1}} {
		c.add(sent, now, times[0], times[1])
	}
	c.add(now, sent, at, at)
	if c.clock != want {
		t.Errorf("%+v", c.clock)
	}
}
