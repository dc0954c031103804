package transport

import (
	"net/netip"
	"time"
)

// connections are those of one session. When its path is lost a client makes another connection
// from the same socket, and resumes the session there by ticket:
//
//	current  the connection on which the session lives; it is still asked, and may answer yet
//	next     the one that is being made: handshake, HELLO, and with WELCOME it becomes current
//	former   the one that was current, for what is still on its way
//
// A path that comes back before HELLO was said ends the attempt.
type connections struct {
	current     *clientConn // never nil; without a record before Dial's handshake is complete
	next        *clientConn // nil unless the session needs another connection
	former      *clientConn // nil unless the session was resumed a moment ago
	formerUntil time.Time
	copy        []byte // of a datagram that more than one of them may open
}

// single reports whether current is the only connection.
func (c *connections) single() bool { return c.next == nil && c.former == nil }

// from returns the connections by a carrier with a server's address, nil in place of others.
func (c *connections) from(by *carrier, addr netip.AddrPort) (conns [3]*clientConn, any bool) {
	conns = [3]*clientConn{c.current, c.next, c.former}
	for i, conn := range conns {
		if conn == nil || !conn.hears(by, addr) {
			conns[i] = nil
		} else {
			any = true
		}
	}
	return conns, any
}

// patience returns how long next may hear nothing.
func (c *connections) patience() time.Duration {
	switch {
	case c.next.unsent():
		return attemptPause // there may be another address
	case c.next.resuming.proves:
		return helloPatience
	}
	return max(attemptTime, 4*c.current.machine.RoundTrip())
}

// abandonNext gives up the connection that is being made.
func (c *connections) abandonNext() {
	next := c.next
	c.next = nil
	next.abort()
}

// promoteNext makes next the current connection, and returns the one that was.
func (c *connections) promoteNext(now time.Time) *clientConn {
	c.dropFormer()
	c.former, c.formerUntil = c.current, now.Add(formerTime)
	c.current, c.next = c.next, nil
	c.current.cancel() // its handshake has ended long ago
	return c.former
}

// expireFormer drops the former connection when its time is over.
func (c *connections) expireFormer(now time.Time) {
	if c.former != nil && !now.Before(c.formerUntil) {
		c.dropFormer()
	}
}

func (c *connections) dropFormer() {
	if c.former != nil {
		c.former.wipe()
		c.former = nil
	}
}

// wipe forgets all keys. There is no next connection any more.
func (c *connections) wipe() {
	c.current.wipe()
	if c.former != nil {
		c.former.wipe()
	}
}
