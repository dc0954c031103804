package transport

import "time"

// ServerTime is what a client with lanes knows of the time by the server's clock.
type ServerTime struct {
	// Time is the server's time; zero if it is not known. The server's clock begins with the time of
	// its machine and is not set after that.
	Time time.Time
	// Bound is how far Time may be off, earlier or later: at most half of what the quickest PING and
	// its PONG took on their way, if that was just now, and a bit more with each second since. It
	// holds while the two clocks drift apart by no more than 200 microseconds a second. It may fail
	// until the next PONG after the client's machine has slept; and where another process has taken
	// over from a snapshot, by as much as the clocks of the two processes differ.
	Bound time.Duration
	// Clock is the number of the clock, from 1; 0 while Time is not known. Under one number Time
	// never jumps and never goes back as the client's time goes on: it runs slower or faster by a
	// twentieth until it is right. One more says that Time goes on by another server's clock, or
	// that one of the clocks has been stopped: a game begins anew with what it has derived.
	Clock uint32
}

// ServerTime returns the server's time at local, a time by time.Now not long ago or a little ahead.
// So a client tells in which tick of the server's it is, or when a datagram that carries a time has
// left. It is measured by each PING: by the first right after the client has joined, and again after
// it has resumed at another server, where the time is not known until then. Only a client with lanes
// has it (session.ClientConfig.Lanes), of a server with lanes.
func (c *Client) ServerTime(local time.Time) ServerTime {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.state.conns.current.machine
	if m == nil {
		return ServerTime{}
	}
	return ServerTime(m.ServerTime(local))
}
