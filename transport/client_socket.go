package transport

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// clientSocket is the socket that a client uses at present, with what it has sent and refused.
type clientSocket struct {
	conn    atomic.Pointer[udp.Conn] // replaced under Client.mu
	sent    atomic.Uint64            // bytes
	fault   atomic.Pointer[error]    // the last error since anything came from the server
	refused chan struct{}            // capacity 1: the network has refused a datagram
	buffer  []byte                   // for the datagram being sealed; guarded by Client.mu
}

func (s *clientSocket) init(conn net.PacketConn) {
	s.refused = make(chan struct{}, 1)
	s.buffer = make([]byte, 0, udp.BufferLen)
	s.replace(conn)
}

// replace sends and receives by conn from now on, and returns the socket before it.
func (s *clientSocket) replace(conn net.PacketConn) *udp.Conn {
	next := udp.NewConn(conn)
	return s.conn.Swap(&next)
}

func (s *clientSocket) localAddr() net.Addr { return s.conn.Load().LocalAddr() }

// write sends a datagram and reports whether the network took it.
func (s *clientSocket) write(to netip.AddrPort, b []byte) bool {
	s.sent.Add(uint64(len(b)))
	err := s.conn.Load().Write(b, to)
	if err == nil {
		return true
	}
	s.blame(err)
	select {
	case s.refused <- struct{}{}:
	default:
	}
	return false
}

// wakeAt lets the read that is under way return at t, or not until something comes if t is zero.
func (s *clientSocket) wakeAt(t time.Time) {
	s.conn.Load().SetReadDeadline(t) //nolint:errcheck // of a closed socket the read returns anyway
}

// blame keeps err as the last fault.
func (s *clientSocket) blame(err error) { s.fault.Store(&err) }

// forgive forgets the last fault: the server was heard.
func (s *clientSocket) forgive() {
	if s.fault.Load() != nil {
		s.fault.Store(nil)
	}
}

// silence returns ErrTimeout, wrapped with the fault of the socket since the server was last
// heard: then this machine may be to blame.
func (s *clientSocket) silence() error {
	if err := s.fault.Load(); err != nil {
		return fmt.Errorf("%w: %w", ErrTimeout, *err)
	}
	return ErrTimeout
}
