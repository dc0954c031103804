package fuzz

import (
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"
)

type packet struct {
	addr netip.AddrPort
	b    []byte
}

// socket is a net.PacketConn in memory: what is put into in arrives, what is
// sent comes out of out, or is lost when nobody takes it.
type socket struct {
	in, out chan packet
	closed  chan struct{}
	put     atomic.Int64 // datagrams that were put in
	asked   atomic.Int64 // times that the server's reader has asked for one
}

func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	s.asked.Add(1)
	select {
	case p := <-s.in:
		return copy(b, p.b), net.UDPAddrFromAddrPort(p.addr), nil
	case <-s.closed:
		return 0, nil, net.ErrClosed
	}
}

// arrive puts a datagram in.
func (s *socket) arrive(addr netip.AddrPort, b []byte) {
	s.put.Add(1)
	s.in <- packet{addr, b}
}

// drained waits until the server's reader asks for more than was put in, and so
// has queued everything.
func (s *socket) drained() {
	for s.asked.Load() <= s.put.Load() {
		runtime.Gosched()
	}
}

func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case s.out <- packet{to.(*net.UDPAddr).AddrPort(), append([]byte(nil), b...)}:
	default:
	}
	return len(b), nil
}

func (s *socket) Close() error                     { close(s.closed); return nil }
func (s *socket) LocalAddr() net.Addr              { return &net.UDPAddr{IP: net.IPv4(10, 0, 0, 100), Port: 7777} }
func (s *socket) SetDeadline(time.Time) error      { return nil }
func (s *socket) SetReadDeadline(time.Time) error  { return nil }
func (s *socket) SetWriteDeadline(time.Time) error { return nil }
