package transport

import (
	"net"
	"net/netip"
)

// packetConn reads and writes a net.PacketConn without allocating where the
// connection can do so, as *net.UDPConn does.
type packetConn struct {
	net.PacketConn
	fast addrPortConn   // nil where it cannot
	peer netip.AddrPort // of a socket that is connected, which refuses to be told where to send
}

type addrPortConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

func newPacketConn(conn net.PacketConn) packetConn {
	c := packetConn{PacketConn: conn}
	c.fast, _ = conn.(addrPortConn)
	if connected, ok := conn.(net.Conn); ok {
		c.peer = addrPort(connected.RemoteAddr())
	}
	return c
}

func (c packetConn) read(b []byte) (n int, from netip.AddrPort, err error) {
	if c.fast != nil {
		n, from, err = c.fast.ReadFromUDPAddrPort(b)
		from = unmap(from)
	} else {
		var addr net.Addr
		n, addr, err = c.ReadFrom(b)
		from = addrPort(addr)
	}
	if c.peer.IsValid() && !from.IsValid() {
		from = c.peer
	}
	return n, from, err
}

// write sends a datagram. The error is the socket's.
func (c packetConn) write(b []byte, to netip.AddrPort) (err error) {
	switch {
	case c.peer.IsValid() && same(to, c.peer):
		_, err = c.PacketConn.(net.Conn).Write(b)
	case c.fast != nil:
		_, err = c.fast.WriteToUDPAddrPort(b, to)
	default:
		_, err = c.WriteTo(b, net.UDPAddrFromAddrPort(to))
	}
	return err
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// addrPort reads a net.Addr; the zero AddrPort if it is not an IP address, or none.
func addrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	if u, ok := a.(*net.UDPAddr); ok {
		return unmap(u.AddrPort())
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return unmap(ap)
}
