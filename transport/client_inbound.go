package transport

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/retry"
)

// arrive handles a datagram that a carrier has brought, nil for UDP: before the first handshake is complete the candidates may want it,
// later the session's connections.
func (s *clientState) arrive(now time.Time, by *carrier, from netip.AddrPort, b []byte) {
	switch {
	case s.conns.current.record == nil:
		for range s.candidates.deliver(now, by, from, b) {
			s.socket.heard(b)
		}
	case len(b) == 0: // no datagram of a session is
		s.stats.Dropped++
	case !s.conns.single():
		s.demultiplex(now, by, from, b)
	case s.conns.current.hears(by, from):
		s.socket.heard(b)
		_, failed := s.open(now, s.conns.current, b)
		s.stats.Dropped += failed
	}
}

// demultiplex opens a datagram that more than one connection may be meant by. Since opening
// destroys what it fails on, each gets a copy.
func (s *clientState) demultiplex(now time.Time, by *carrier, from netip.AddrPort, b []byte) {
	conns, any := s.conns.from(by, from)
	if !any {
		return
	}
	s.socket.heard(b)
	next := conns[1]
	if next != nil && next.record == nil && (dtls.IsHandshake(b) || retry.IsRetry(b)) {
		next.deliver(now, b)
		return
	}
	for _, conn := range conns {
		if conn == nil || conn.record == nil {
			continue
		}
		s.conns.copy = append(s.conns.copy[:0], b...)
		if any, _ := s.open(now, conn, s.conns.copy); any {
			if conn == next {
				next.heard = now
			}
			return
		}
	}
	if next != nil && next.record == nil {
		next.deliver(now, b)
		return
	}
	s.stats.Dropped++
}

// open opens the records of a datagram. It reports whether any belongs to the connection, and
// how many do not.
func (s *clientState) open(now time.Time, conn *clientConn, b []byte) (any bool, failed uint64) {
	for len(b) > 0 {
		rec, rest, ok := record.Next(b)
		if !ok {
			return any, failed + 1
		}
		b = rest
		typ, plaintext, err := conn.record.Open(rec)
		if err != nil {
			failed++
			continue
		}
		any = true
		switch {
		case typ == record.ApplicationData:
			s.handle(now, conn, plaintext)
		case typ == record.Alert && dtls.IsFinal(plaintext):
			s.disconnect(now, conn)
		}
	}
	return any, failed
}
