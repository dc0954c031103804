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
	// Clock is the number of the clock, from 1; 0 while Time is not known. Under one number Time never
	// jumps and never goes back as the client's time goes on: it runs slower or faster by a twentieth
	// until it is right. An increase says that Time now follows another server's clock, or that one of
	// the clocks was stopped: a game has to discard what it has derived from earlier times.
	Clock uint32
}

// ServerTime returns the server's time at local, a time from time.Now that is recent or slightly
// ahead. It tells a client which tick the server is in, or when a datagram that carries a time was
// sent. Each PING measures it: the first right after the client has joined, and again after it has
// resumed on another server, where the time is unknown until then. It needs lanes at both ends
// (session.ClientConfig.Lanes).
func (c *Client) ServerTime(local time.Time) ServerTime {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.state.conns.current.machine
	if m == nil {
		return ServerTime{}
	}
	return ServerTime(m.ServerTime(local))
}
