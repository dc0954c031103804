package transport

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// candidates are the connections of Dial's search, each in its handshake. The first to complete
// it becomes the session's. Until then the mutex of candidates guards what changes of them.
type candidates struct {
	mu sync.Mutex
	// +checklocks:mu
	conns []*clientConn
}

func (c *candidates) add(conn *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
}

func (c *candidates) remove(conn *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = slices.DeleteFunc(c.conns, func(t *clientConn) bool { return t == conn })
}

func (c *candidates) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = nil
}

// deliver hands a datagram to the handshakes with its sender, and returns how many there are.
func (c *candidates) deliver(now time.Time, by *carrier, from netip.AddrPort, b []byte) (delivered int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		if conn.hears(by, from) {
			conn.deliver(now, b)
			delivered++
		}
	}
	return delivered
}

// lastHeard returns when the server was last heard in a handshake, or when that began.
func (c *candidates) lastHeard(conn *clientConn) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return conn.heard
}
