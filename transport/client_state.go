package transport

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
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

// begin starts the record layer and the machine of a connection, and handles what came before
// its keys.
//
// +checklocks:c.mu
func (c *Client) begin(now time.Time, conn *clientConn, rc *record.Conn, m *machine.Client) {
	for _, b := range conn.start(rc, m) {
		c.state.arrive(now, conn.carrier, conn.remote, b)
	}
	c.tick(now)
}

// tick does what is due.
//
// +checklocks:c.mu
func (c *Client) tick(now time.Time) {
	w := c.state.tick(now)
	if next := w.attempt; next != nil {
		ctx, cancel := context.WithCancel(c.background.ctx)
		next.cancel = cancel
		c.background.Go(func() { c.resume(ctx, next) })
	}
	if w.lookUp {
		place := c.state.addresses.place
		c.background.Go(func() { c.lookUp(place) })
	}
	if w.locate {
		to, place := c.state.redirect.to, c.state.redirect.addresses.place
		c.background.Go(func() { c.lookUpRedirect(to, place) })
	}
	if w.carrier != "" {
		server := w.carrier
		c.background.Go(func() { c.carryResume(server) })
	}
	if patience := w.renew; patience > 0 {
		c.background.Go(func() { c.renew(patience) })
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
