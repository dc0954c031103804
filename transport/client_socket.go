package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// clientSocket is the socket that a client uses at present, with what it has sent and refused.
type clientSocket struct {
	server  string                   // the server's address as it was dialled; constant
	own     bool                     // the client has made the socket itself; constant
	conn    atomic.Pointer[udp.Conn] // replaced under Client.mu
	sent    atomic.Uint64            // bytes
	fault   atomic.Pointer[error]    // the last error since anything came from the server
	genuine atomic.Bool              // a handshake has made progress: from then on a stray datagram is a leftover of it
	foreign atomic.Pointer[string]   // what came from the server's address that no Sallyport server sends, before that
	refused chan struct{}            // capacity 1: the network has refused a datagram

	// Guarded by Client.mu.
	polled   bool      // Poll reads, and no read waits
	due      time.Time // when the read that waits is to return; zero for when something comes
	received uint64    // bytes from a server's address
	buffer   []byte    // for the datagram being sealed
}

func (s *clientSocket) init(conn net.PacketConn, server string, own bool) {
	s.server, s.own = server, own
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
	if errors.Is(err, syscall.ECONNREFUSED) { // the answer to a datagram before: this one was not sent
		s.blame(err)
		err = s.conn.Load().Write(b, to)
	}
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
	s.due = t
	if !s.polled {
		s.conn.Load().SetReadDeadline(t) //nolint:errcheck // of a closed socket the read returns anyway
	}
}

// wakeBy is wakeAt where t is sooner than what was said last.
func (s *clientSocket) wakeBy(t time.Time) {
	if t.Before(s.due) {
		s.wakeAt(t)
	}
}

// interrupt lets a read that still waits return when Poll has taken over.
func (s *clientSocket) interrupt() {
	if s.polled {
		s.conn.Load().SetReadDeadline(time.Now()) //nolint:errcheck // as above
	}
}

// blame keeps err as the last fault.
func (s *clientSocket) blame(err error) { s.fault.Store(&err) }

// heard counts a datagram that came from a server's address, and forgets the last fault.
func (s *clientSocket) heard(b []byte) {
	s.received += uint64(len(b))
	if s.fault.Load() != nil {
		s.fault.Store(nil)
	}
}

// reportRefusals has the socket fail, or no longer, when the network says that nobody listens at the
// server's address. It does nothing to a socket of the user's, and where the system cannot do it.
func (s *clientSocket) reportRefusals(on bool) {
	if s.own {
		udp.ReportRefusals(s.conn.Load().PacketConn, on)
	}
}

// answeredBy notes what a datagram from the server's address is, if no Sallyport server sends it.
func (s *clientSocket) answeredBy(what string) {
	if what != "" && !s.genuine.Load() {
		s.foreign.Store(&what)
	}
}

// progressed notes that a handshake goes on with whoever answers.
func (s *clientSocket) progressed() {
	if !s.genuine.Swap(true) {
		s.foreign.Store(nil)
	}
}

// silence returns ErrTimeout with what is known of the time since the server was last heard: the
// fault of the socket, or what else has answered. A context's error is matched, too. Anybody can
// forge what the text says, so nothing but the text depends on it.
func (s *clientSocket) silence(ctx error) error {
	if e := s.unanswered(ctx); e.text != "" || e.causes != nil {
		return e
	}
	return ErrTimeout
}

// unanswered is silence with its parts.
func (s *clientSocket) unanswered(ctx error) *unanswered {
	e := &unanswered{}
	if err := s.fault.Load(); err != nil {
		e.causes = append(e.causes, *err)
		if e.text = (*err).Error(); errors.Is(*err, syscall.ECONNREFUSED) {
			e.text = "nothing listens on UDP port " + s.server
		}
	}
	if what := s.foreign.Load(); what != nil {
		e.text = fmt.Sprintf("what answers on %s is no Sallyport server: %s", s.server, *what)
	}
	if ctx != nil {
		e.causes = append(e.causes, ctx)
	}
	return e
}
