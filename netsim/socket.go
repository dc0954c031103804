package netsim

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// udpSocket is what *net.UDPConn and Conn have in common.
type udpSocket interface {
	net.PacketConn
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
}

// plainSocket gives a net.PacketConn the methods that it lacks.
type plainSocket struct{ net.PacketConn }

func socketOf(pc net.PacketConn) udpSocket {
	if s, ok := pc.(udpSocket); ok {
		return s
	}
	return plainSocket{pc}
}

func (s plainSocket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := s.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	a, ok := from.(*net.UDPAddr)
	if !ok {
		return 0, netip.AddrPort{}, opError("read", s.LocalAddr(), syscall.EAFNOSUPPORT)
	}
	return n, a.AddrPort(), nil
}

func (s plainSocket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return s.WriteTo(b, net.UDPAddrFromAddrPort(to))
}

// opError gives an error the shape that a *net.UDPConn's errors have.
func opError(op string, local net.Addr, err error) error {
	return &net.OpError{Op: op, Net: "udp", Addr: local, Err: err}
}

// cause undoes opError.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
