package machine

import "time"

// clock is what a client knows of the server's clock. Each PONG confines it: the server's clock showed
// Received no earlier than when the PING left, and Sent no later than when the PONG came. What all of
// them allow is the bounds, which widen with time by how far two clocks drift apart. So the quickest
// datagram of each direction says most, and a slow one says nothing.
type clock struct {
	number uint32        // of the server's clock; 0 before the first
	state  clockState    // whether there are bounds, and what they are worth
	origin time.Time     // of the client's times
	at     time.Duration // when the rest was right
	low    int64         // the server's time at origin, Unix ns: at least
	high   int64         // at most
	shown  int64         // as shown: it moves towards the middle of the bounds
}

// clockState is where a clock stands.
type clockState uint8

const (
	clockUnknown clockState = iota
	clockFormer             // known from before the session was resumed, perhaps by another process
	clockKnown
)

const (
	// clockDrift is how many times more slowly than time two clocks drift apart: 200 millionths, of
	// which a quartz takes 50.
	clockDrift = 5000
	// clockPace is how many times more slowly than time the shown time approaches the middle.
	clockPace = 20
	// clockJump is how far a PONG may be from the bounds without being another clock's.
	clockJump = int64(5 * time.Millisecond)
	// clockMax is the largest time taken from a PONG, in microseconds: 140 years from 1970.
	clockMax = int64(1) << 52
)

// follow begins a connection. If the lanes go on so does the server, as far as a client can tell.
func (k *clock) follow(kept bool) {
	switch {
	case !kept:
		k.state = clockUnknown
	case k.state == clockKnown:
		k.state = clockFormer
	}
}

// add takes the times of a PONG to a PING that left at sent and was answered at now.
func (k *clock) add(sent, now time.Time, received, answered int64) {
	if k.origin.IsZero() {
		k.origin = now
	}
	from, to := sent.Sub(k.origin), now.Sub(k.origin)
	if received != min(max(received, -clockMax), clockMax) || answered < received || answered > clockMax || to < from || to < k.at {
		return
	}
	low := answered*1000 - int64(to)
	high := (received+1)*1000 - int64(from) + drift(to-from) // a microsecond is cut off
	if high < low {
		return
	}
	if k.state == clockUnknown {
		k.begin(to, low, high)
		return
	}
	shown, before := k.show(to), drift(to-k.at)
	l, h := max(low, k.low-before), min(high, k.high+before)
	switch {
	case l > h+clockJump:
		k.begin(to, low, high)
		return
	case l > h || k.state == clockFormer:
		l, h = low, high
	}
	k.state, k.at, k.low, k.high, k.shown = clockKnown, to, l, h, shown
}

// begin begins anew with these bounds.
func (k *clock) begin(at time.Duration, low, high int64) {
	k.number++
	k.state, k.at, k.low, k.high, k.shown = clockKnown, at, low, high, low+(high-low)/2
}

// show returns the server's time at origin as it is shown at a time after it.
func (k *clock) show(at time.Duration) int64 {
	step := max(0, int64(at-k.at)/clockPace)
	return k.shown + min(max(k.middle()-k.shown, -step), step)
}

func (k *clock) middle() int64 { return k.low + (k.high-k.low)/2 }

// drift returns how far two clocks drift apart in a time.
func drift(d time.Duration) int64 { return int64(d.Abs())/clockDrift + 1 }

// ServerTime is what a client knows of the time by the server's clock.
type ServerTime struct {
	Time  time.Time     // the server's; zero if it is not known
	Bound time.Duration // how far Time may be off
	Clock uint32        // number of the clock, from 1: one more says that Time goes on elsewhere
}

// time returns the server's time at a time of the client's.
func (k *clock) time(local time.Time) ServerTime {
	if k.state == clockUnknown {
		return ServerTime{}
	}
	at := local.Sub(k.origin)
	shown := k.show(at)
	off := k.middle() - shown
	return ServerTime{
		Time:  time.Unix(0, shown+int64(at)),
		Bound: time.Duration((k.high-k.low+1)/2+drift(at-k.at)) + time.Duration(off).Abs(),
		Clock: k.number,
	}
}

// ServerTime returns the server's time at a time of the client's. It belongs to the receiving half.
func (c *Client) ServerTime(local time.Time) ServerTime { return c.counts.clock.time(local) }
