package transport

import (
	"time"
)

// clientState is what Client.mu guards: the session, its connections, and what is due. Its
// methods neither lock nor wait nor start goroutines; tick returns what to start.
type clientState struct {
	// Of the Client, constant.
	config     *ClientConfig
	socket     *clientSocket
	inbox      *inbox
	progress   *progress
	candidates *candidates

	conns      connections
	addresses  addresses
	resumption resumption
	renewal    renewal
	stats      ClientStats
	linger     time.Time // until when the receive loop goes on after the end, for the last answers
}

// work is what the client has to start goroutines for.
type work struct {
	attempt *clientConn // begin the handshake of this connection
	lookUp  bool        // look the server's name up
	renew   bool        // fetch an identity token
}

// tick sends what is due, sets the time at which the receive loop wakes next, and returns what
// to start.
func (s *clientState) tick(now time.Time) (w work) {
	current := s.conns.current
	switch {
	case current.machine == nil:
		return w
	case s.progress.over() != nil:
		s.socket.wakeAt(s.linger)
		return w
	}
	due := current.machine.Tick(now, current.emit)
	if current.machine.Silent(now) {
		s.conclude(s.resumption.reason(s.socket.silence()))
		return w
	}
	due = s.reconnect(now, due, &w)
	due, w.renew = s.renewal.check(now, due)
	s.socket.wakeAt(due)
	return w
}

// notify tells the user's OnEvent.
func (s *clientState) notify(ev ClientEvent) {
	if s.config.OnEvent != nil {
		s.config.OnEvent(ev)
	}
}

// countHeard counts a datagram that came from a server's address.
func (s *clientState) countHeard(b []byte) {
	s.stats.BytesReceived += uint64(len(b))
	s.socket.forgive()
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
