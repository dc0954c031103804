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
	redirect   redirect
	fallback   fallback
	renewal    renewal
	lanes      clientLanes
	stats      ClientStats
	reports    reports
}

// work is what the client has to start goroutines for.
type work struct {
	attempt *clientConn // begin the handshake of this connection
	lookUp  bool        // look the server's name up
	locate  bool        // look up the name of the server that this one has named
	carrier string      // ask ClientConfig.Fallback for a carrier to this server; empty for none

	renew time.Duration // fetch an identity token within this time; 0 for none
}

// tick sends what is due, sets the time at which a turn that waits ends, and returns what
// to start.
func (s *clientState) tick(now time.Time) (w work) {
	current := s.conns.current
	switch {
	case current.machine == nil:
		return w
	case s.progress.over() != nil:
		s.socket.wakeAt(s.progress.linger)
		return w
	}
	due := current.machine.Tick(now, current.emit)
	if current.machine.Silent(now) {
		s.conclude(s.resumption.reason(s.socket.silence(nil)))
		return w
	}
	if r := &s.redirect; r.closed != nil && !r.open(now) {
		s.conclude(r.closed)
		return w
	}
	due = s.reconnect(now, due, &w)
	s.renewal.catchUp(now, current.machine.Idle())
	due, fetch := s.renewal.check(now, due)
	if fetch {
		w.renew = s.renewal.patience(current.machine.Expires().Sub(now))
	}
	if m := s.lanes.messages; m != nil {
		m.pump(now)
		due = m.wait(due)
	}
	s.socket.wakeAt(due)
	return w
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
