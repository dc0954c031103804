package identity

import (
	"crypto/x509"
	"net"
	"sync"
	"time"
)

// conn is a network connection under TLS that ends with the certificates of its ends.
type conn struct {
	net.Conn
	source *Source // constant

	mu sync.Mutex
	// +checklocks:mu
	certs []*x509.Certificate // the peer's; nil before the handshake
	// +checklocks:mu
	roles []Role // that the peer may have
	// +checklocks:mu
	own time.Time // when the own certificate expires; zero before it is shown
	// +checklocks:mu
	peers time.Time // when a certificate of the peer's expires
	// +checklocks:mu
	timer *time.Timer // nil before the handshake
	// +checklocks:mu
	closed bool
}

// conns is the set of live connections. The zero value works.
type conns struct {
	mu sync.Mutex
	// +checklocks:mu
	live map[*conn]struct{}
	// +checklocks:mu
	closed bool
}

// track returns nc as a connection of s. It is closed at once if s is.
func (s *Source) track(nc net.Conn) *conn {
	c := &conn{Conn: nc, source: s}
	if !s.conns.add(c) {
		c.Close() //nolint:errcheck // nobody uses it yet
	}
	return c
}

func (cs *conns) add(c *conn) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.closed {
		return false
	}
	if cs.live == nil {
		cs.live = map[*conn]struct{}{}
	}
	cs.live[c] = struct{}{}
	return true
}

func (cs *conns) remove(c *conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.live, c)
}

func (cs *conns) len() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.live)
}

func (cs *conns) all() []*conn {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	all := make([]*conn, 0, len(cs.live))
	for c := range cs.live {
		all = append(all, c)
	}
	return all
}

// review closes the connections of peers that would not be let in now.
func (cs *conns) review() {
	for _, c := range cs.all() {
		c.review()
	}
}

func (cs *conns) closeAll() {
	cs.mu.Lock()
	cs.closed = true
	cs.mu.Unlock()
	for _, c := range cs.all() {
		c.Close() //nolint:errcheck // it ends either way
	}
}

// show notes when the own certificate that c shows expires. A server shows it before it has seen the peer's, a client
// afterwards.
func (c *conn) show(expires time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own = expires
	if c.certs != nil {
		c.endInTime()
	}
}

// watch has c end when a certificate of either end expires.
func (c *conn) watch(certs []*x509.Certificate, roles []Role, expires time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.certs, c.roles, c.peers = certs, roles, expires
	c.endInTime()
}

// endInTime sets the timer by what is known of both certificates.
//
// +checklocks:c.mu
func (c *conn) endInTime() {
	if c.closed {
		return
	}
	expires := c.peers
	if !c.own.IsZero() && c.own.Before(expires) {
		expires = c.own
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.timer = time.AfterFunc(time.Until(expires), func() { c.Close() }) //nolint:errcheck // it ends either way
}

// review closes c if its peer would not be let in now.
func (c *conn) review() {
	c.mu.Lock()
	certs, roles := c.certs, c.roles
	c.mu.Unlock()
	if certs == nil {
		return
	}
	if p, refusal := c.source.peer(certs, roles); refusal != 0 {
		c.source.refuse(p, refusal, network(c.RemoteAddr().String()), "connection closed")
		c.Close() //nolint:errcheck // it ends either way
	}
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.source.conns.remove(c)
	c.mu.Lock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	return c.Conn.Close()
}
