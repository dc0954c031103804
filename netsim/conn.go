package netsim

import (
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Conn is a socket: a net.PacketConn whose addresses are *net.UDPAddr, with the AddrPort methods of a
// *net.UDPConn. Its receive queue holds 4,096 datagrams. All methods are safe for concurrent use.
type Conn struct {
	network *Network // set by Listen, constant afterwards
	in      inbox

	// +checklocks:network.line.mu
	local netip.AddrPort
	// +checklocks:network.line.mu
	impair *Impairment // nil means the network's
	// +checklocks:network.line.mu
	incoming Impairment
	// +checklocks:network.line.mu
	up, down bottleneck // of what the socket sends, and of what it is sent
}

var _ net.PacketConn = (*Conn)(nil)

// ReadFromUDPAddrPort waits for a datagram. What does not fit into b is cut off.
func (c *Conn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.in.read(b)
	if err != nil {
		return 0, from, opError("read", c.LocalAddr(), err)
	}
	return n, from, nil
}

// ReadFrom is ReadFromUDPAddrPort with a *net.UDPAddr.
func (c *Conn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteToUDPAddrPort sends a copy of b. It never waits, and like UDP it reports no error for a
// datagram that will not arrive.
func (c *Conn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	switch {
	case c.in.failed() != nil:
		return 0, opError("write", c.LocalAddr(), net.ErrClosed)
	case len(b) > maxPayload:
		return 0, opError("write", c.LocalAddr(), syscall.EMSGSIZE)
	case !to.IsValid():
		return 0, opError("write", c.LocalAddr(), syscall.EDESTADDRREQ)
	}
	c.send(unmap(to), slices.Clone(b))
	return len(b), nil
}

// send takes b, which is now the network's, to the address to.
func (c *Conn) send(to netip.AddrPort, b []byte) {
	n := c.network
	from := c.AddrPort()
	pass := n.ask(from, to, b)
	n.line.mu.Lock()
	defer n.line.mu.Unlock()
	if !pass {
		n.line.stats.Sent++
		n.line.stats.Refused++
		return
	}
	im := n.impair
	if c.impair != nil {
		im = *c.impair
	}
	n.line.send(n.link(route{from: from, to: to}), &c.up, im, &datagram{from: from, to: to, data: b})
}

// WriteTo is WriteToUDPAddrPort for a *net.UDPAddr.
func (c *Conn) WriteTo(b []byte, to net.Addr) (int, error) {
	a, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, opError("write", c.LocalAddr(), syscall.EINVAL)
	}
	return c.WriteToUDPAddrPort(b, a.AddrPort())
}

// Rebind gives the socket another address, as a NAT does that forgot its mapping. What is in flight
// to the old one is lost; what was received stays readable. The error matches ErrAddress or
// net.ErrClosed.
func (c *Conn) Rebind(addr netip.AddrPort) error {
	n := c.network
	n.line.mu.Lock()
	defer n.line.mu.Unlock()
	if n.conns[c.local] != c {
		return net.ErrClosed
	}
	addr, err := n.free(addr)
	if err != nil {
		return err
	}
	delete(n.conns, c.local)
	n.conns[addr], c.local = c, addr
	return nil
}

// SetImpairment applies im to what this socket sends from now on, in place of the network's
// impairment. All that it sends, to whatever addresses, shares one bottleneck. The error matches
// ErrConfig.
func (c *Conn) SetImpairment(im Impairment) error {
	im, err := im.WithDefaults()
	if err != nil {
		return err
	}
	c.network.line.mu.Lock()
	defer c.network.line.mu.Unlock()
	c.impair = &im
	return nil
}

// SetIncoming applies im to what comes to this socket from now on, after the sender's impairment.
// All that comes, from whatever addresses, shares one bottleneck. The error matches ErrConfig.
func (c *Conn) SetIncoming(im Impairment) error {
	im, err := im.WithDefaults()
	if err != nil {
		return err
	}
	c.network.line.mu.Lock()
	defer c.network.line.mu.Unlock()
	c.incoming = im
	return nil
}

// AddrPort returns the present address.
func (c *Conn) AddrPort() netip.AddrPort {
	c.network.line.mu.Lock()
	defer c.network.line.mu.Unlock()
	return c.local
}

// LocalAddr returns the present address as a *net.UDPAddr.
func (c *Conn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.AddrPort()) }

// SetDeadline sets the read deadline.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline ends waiting and later reads with os.ErrDeadlineExceeded at t; the zero time
// removes it.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if err := c.in.setDeadline(t); err != nil {
		return opError("set", c.LocalAddr(), err)
	}
	return nil
}

// SetWriteDeadline has no effect, because no write waits.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// Close frees the address and ends reads with net.ErrClosed. What it has sent still arrives.
func (c *Conn) Close() error {
	c.unbind()
	if !c.in.fail(net.ErrClosed) {
		return opError("close", c.LocalAddr(), net.ErrClosed)
	}
	return nil
}

// unbind frees the address.
func (c *Conn) unbind() {
	n := c.network
	n.line.mu.Lock()
	defer n.line.mu.Unlock()
	if n.conns[c.local] == c {
		delete(n.conns, c.local)
	}
}
