package machine

import (
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "A DTLS close_notify, and silence, end only the connection." PROTOCOL.md 5.5. On a connection
// that waits for the first datagram of its session, which may never have heard of its WELCOME, they
// end nothing else: the same ticket is taken again, where the session lives, where it lives
// nowhere, and after another attempt.
func TestDisconnectedWhileWaiting(t *testing.T) {
	for name, gate := range map[string]func(d *dialogue) *Gate{
		"beside the old connection": func(d *dialogue) *Gate { return d.gate },
		"on another server":         func(d *dialogue) *Gate { return d.anotherServer(session.Config{}) },
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			g := gate(d)
			for range 3 {
				attempt := d.reconnects(g, home)
				attempt.takesWelcome(attempt.showsTicketAgain(g == d.gate))
				if reply, ev := attempt.server.Disconnected(); reply.Kind != 0 || ev.Kind != EventClosed {
					t.Fatal(reply, ev)
				}
			}
			d.exchangesData()
			r := d.reconnects(g, home)
			r.takesWelcome(r.showsTicketAgain(g == d.gate))
			r.sendsFirstDatagram()
			r.exchangesData()
			if r.server.Session().Name() != d.server.Session().Name() || g.Len() != 1 {
				t.Errorf("another session, or %d of them", g.Len())
			}
		})
	}
}

// showsTicketAgain returns the answer to the ticket; here reports whether the session lives on this
// server.
func (d *dialogue) showsTicketAgain(here bool) heard {
	d.Helper()
	if here {
		return d.showsTicket().says(wire.KindWelcome)
	}
	return d.showsTicket().resumes()
}

// A session that was terminated while it waited stays terminated, however its connection ends.
func TestDisconnectedAfterRevocation(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	g := d.anotherServer(session.Config{})
	attempt := d.reconnects(g, home)
	attempt.takesWelcome(attempt.showsTicket().resumes())
	attempt.server.Session().Revoke()
	attempt.server.Disconnected()
	d.reconnects(g, home).showsTicket().refuses(audit.DropRevoked, wire.ReasonRevoked)
}

// Without a ticket the end of the connection is the end of the session.
func TestDisconnectedWithoutTicket(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.gate.config.FleetKeys = nil
	if _, ev := d.server.Disconnected(); ev.Kind != EventClosed || ev.Reason != wire.ReasonLeft || d.gate.Len() != 0 {
		t.Error(ev, d.gate.Len())
	}
}
