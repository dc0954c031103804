package machine

import (
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "For a client that is on its way, a CLOSE with reason 2 does not end the session for 10 s."
// PROTOCOL.md 8.6. With any other reason, and without a destination, it does.
func TestRedirectedClose(t *testing.T) {
	for _, c := range []struct {
		redirected bool
		reason     wire.Reason
		goesOn     bool
	}{
		{true, wire.ReasonShutdown, true},
		{false, wire.ReasonShutdown, false},
		{true, wire.ReasonKicked, false},
		{true, wire.ReasonRevoked, false},
		{true, wire.ReasonIdle, false},
		{true, wire.ReasonReplaced, false},
		{true, wire.ReasonExpired, false},
	} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d.client.SetRedirected(true)
		d.client.SetRedirected(c.redirected)
		body := wire.CloseBody{Reason: c.reason}
		d.toClient(d.serverSends(wire.KindClose, string(body.AppendTo(nil)))).is(EventClosed, audit.DropNone, 0)
		if d.client.Resumable() != c.goesOn {
			t.Errorf("redirected %v, CLOSE %v: resumable %v", c.redirected, c.reason, !c.goesOn)
		}
	}
	d := play(t, session.Config{}, session.ClientConfig{}) // no ticket
	d.client.SetRedirected(true)
	body := wire.CloseBody{Reason: wire.ReasonShutdown}
	if d.toClient(d.serverSends(wire.KindClose, string(body.AppendTo(nil)))); d.client.Live() {
		t.Error("a session without a ticket outlives its server")
	}
}

// "There the server ends the session as one that has been resumed on another server." PROTOCOL.md 8.6: its
// tickets stay good, here as well.
func TestCloseElsewhere(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	says := func() heard {
		r := d.client.CloseElsewhere()
		return d.toServer(d.clientSends(r.Kind, string(r.Body)))
	}
	if h := says().is(EventClosed, audit.DropNone, 0); h.Reason != wire.ReasonReplaced || h.Cause != CauseElsewhere {
		t.Errorf("%+v", h.Event)
	}
	says().is(EventCloseAgain, audit.DropNone, 0)
	if d = d.resumesOn(d.gate); !d.client.Live() {
		t.Error("its ticket is refused")
	}
}
