package transport

import (
	"net"
	"net/netip"
)

// packetConn reads and writes a net.PacketConn without allocating where the
// connection can do so, as *net.UDPConn does.
type packetConn struct {
	net.PacketConn
	fast addrPortConn // nil where it cannot
}

type addrPortConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

func newPacketConn(conn net.PacketConn) packetConn {
	fast, _ := conn.(addrPortConn)
	return packetConn{conn, fast}
}

func (c packetConn) read(b []byte) (int, netip.AddrPort, error) {
	if c.fast != nil {
		n, addr, err := c.fast.ReadFromUDPAddrPort(b)
		return n, unmap(addr), err
	}
	n, from, err := c.ReadFrom(b)
	if err != nil {
		return n, netip.AddrPort{}, err
	}
	return n, addrPort(from), nil
}

// write sends a datagram. One that the network refuses is lost, as any may be.
func (c packetConn) write(b []byte, to netip.AddrPort) {
	if c.fast != nil {
		_, _ = c.fast.WriteToUDPAddrPort(b, to)
	} else {
		_, _ = c.WriteTo(b, net.UDPAddrFromAddrPort(to))
	}
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// addrPort reads a net.Addr; the zero AddrPort if it is not an IP address.
func addrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		return unmap(u.AddrPort())
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return unmap(ap)
}
