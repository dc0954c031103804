package udp

import (
	"net"
	"net/netip"
	"time"
)

// Conn is a client's socket: it reads and writes a net.PacketConn, without allocating where
// that can do so, as *net.UDPConn does.
type Conn struct {
	net.PacketConn
	fast addrPortConn   // nil where it cannot
	poll *poller        // nil where the system cannot be asked for a datagram
	peer netip.AddrPort // of a socket that is connected, which refuses to be told where to send
}

type addrPortConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

// NewConn makes a Conn of conn.
func NewConn(conn net.PacketConn) Conn {
	c := Conn{PacketConn: conn, poll: newPoller(conn)}
	c.fast, _ = conn.(addrPortConn)
	if connected, ok := conn.(net.Conn); ok {
		c.peer = AddrPort(connected.RemoteAddr())
	}
	return c
}

// Read waits for a datagram.
func (c Conn) Read(b []byte) (n int, from netip.AddrPort, err error) {
	if c.fast != nil {
		n, from, err = c.fast.ReadFromUDPAddrPort(b)
		from = Unmap(from)
	} else {
		var addr net.Addr
		n, addr, err = c.ReadFrom(b)
		from = AddrPort(addr)
	}
	if c.peer.IsValid() && !from.IsValid() {
		from = c.peer
	}
	return n, from, err
}

// TryRead is Read that returns os.ErrDeadlineExceeded when there is no datagram: at once where the
// system can be asked, which is on Linux for a *net.UDPConn; elsewhere after tryTime, and it sets the
// read deadline. One goroutine at a time may call it.
func (c Conn) TryRead(b []byte) (n int, from netip.AddrPort, err error) {
	if c.poll != nil {
		return c.poll.read(b)
	}
	if err := c.SetReadDeadline(time.Now().Add(tryTime)); err != nil {
		return 0, from, err
	}
	return c.Read(b)
}

// Write sends a datagram. The error is the socket's.
func (c Conn) Write(b []byte, to netip.AddrPort) (err error) {
	switch {
	case c.peer.IsValid() && Same(to, c.peer):
		_, err = c.PacketConn.(net.Conn).Write(b)
	case c.fast != nil:
		_, err = c.fast.WriteToUDPAddrPort(b, to)
	default:
		_, err = c.WriteTo(b, net.UDPAddrFromAddrPort(to))
	}
	return err
}

// Unmap writes an IPv4 address never in IPv6 form.
func Unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// AddrPort reads a net.Addr; the zero AddrPort if it is not an IP address, or none.
func AddrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	if u, ok := a.(*net.UDPAddr); ok {
		return Unmap(u.AddrPort())
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return Unmap(ap)
}
