package machine

import (
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "A DTLS close_notify, and silence, end only the connection." PROTOCOL.md 5.5. On a connection that waits for the first
// datagram of its session, which may never have heard of its WELCOME, they end nothing else: the same ticket is taken
// again, where the session lives, where it lives nowhere, and after another attempt.
func TestDisconnectedWhileWaiting(t *testing.T) {
	for name, gate := range map[string]func(d *dialogue) *Gate{
		"beside the old connection": func(d *dialogue) *Gate { return d.gate },
		"on another server":         func(d *dialogue) *Gate { return d.sister(session.Config{}) },
	} {
		t.Run(name, func(t *testing.T) {
			d := stay(t, session.Config{}, session.ClientConfig{})
			g := gate(d)
			for range 3 {
				attempt := d.again(g, home)
				attempt.welcomed(attempt.shown(g == d.gate))
				if reply, ev := attempt.server.Disconnected(); reply.Kind != 0 || ev.Kind != EventClosed {
					t.Fatal(reply, ev)
				}
			}
			d.talks()
			r := d.again(g, home)
			r.welcomed(r.shown(g == d.gate))
			r.settles()
			r.talks()
			if r.server.Session().Name() != d.server.Session().Name() || g.Len() != 1 {
				t.Errorf("another session, or %d of them", g.Len())
			}
		})
	}
}

// shown is what the server says to the ticket; here reports whether the session lives on it.
func (d *dialogue) shown(here bool) heard {
	d.Helper()
	if here {
		return d.shows().says(wire.KindWelcome)
	}
	return d.shows().resumes()
}

// What was put out while it waited stays out, however its connection ends.
func TestDisconnectedAfterRevocation(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	g := d.sister(session.Config{})
	attempt := d.again(g, home)
	attempt.welcomed(attempt.shows().resumes())
	attempt.server.Session().Revoke()
	attempt.server.Disconnected()
	d.again(g, home).shows().refuses(audit.DropRevoked, wire.ReasonRevoked)
}

// Without a ticket the end of the connection is the end of the session.
func TestDisconnectedWithoutTicket(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.gate.config.FleetKeys = nil
	if _, ev := d.server.Disconnected(); ev.Kind != EventClosed || ev.Reason != wire.ReasonLeft || d.gate.Len() != 0 {
		t.Error(ev, d.gate.Len())
	}
}
