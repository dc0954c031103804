package machine

import (
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// Events that end the session on the former connection end it before it has moved.
func TestResumeEndsFormerConnection(t *testing.T) {
	for name, end := range map[string]struct {
		how   func(d *dialogue)
		drop  audit.Drop
		after audit.Drop // why the ticket is refused then
	}{
		"left": {func(d *dialogue) {
			d.toServer(d.clientSends(wire.KindClose, closeBody)).is(EventClosed, audit.DropNone, 0)
		}, audit.DropState, audit.DropTicket},
		"kicked":  {func(d *dialogue) { d.server.Close(wire.ReasonKicked) }, audit.DropState, audit.DropTicket},
		"revoked": {func(d *dialogue) { d.server.Session().Revoke() }, audit.DropRevoked, audit.DropRevoked},
		"revoked, and told": {func(d *dialogue) {
			d.server.Session().Revoke()
			d.tickServer().ends(audit.DropRevoked, wire.ReasonRevoked)
		}, audit.DropRevoked, audit.DropRevoked},
		"idle": {func(d *dialogue) {
			d.waits(session.DefaultIdle)
			d.tickServer().ends(audit.DropIdle, wire.ReasonIdle)
		}, audit.DropIdle, audit.DropNone},
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			r := d.reconnects(d.gate, home)
			third := d.reconnects(d.gate, home)
			r.takesWelcome(r.showsTicket())
			end.how(d)
			r.toServer(r.clientSends(wire.KindData, "too late")).closesSilently(end.drop)
			if h := third.showsTicket(); end.after != audit.DropNone {
				h.refuses(end.after, reasons[end.after])
			} else {
				third.takesWelcome(h.resumes())
				third.sendsFirstDatagram()
				third.exchangesData()
			}
		})
	}
}

// "One that has no verdict on the token 5 s after HELLO gives up with reason 12." PROTOCOL.md 5.1.
// The ticket is good then.
func TestResumeNoOutcome(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	r := d.reconnects(d.gate, home)
	asked := r.sendsTicket()
	r.waits(helloTimeout - 1)
	r.tickServer().nothing()
	r.waits(1)
	r.toClient(r.tickServer().refuses(audit.DropBusy, wire.ReasonBusy).envelope).closes(wire.ReasonBusy)
	r.findsFormer(asked).nothing()
	d.exchangesData()
	d.resumesHere().exchangesData()
}

// Between EventResume and its outcome time may pass: a former connection that has ended, or is
// another session's, is none.
func TestResumeEndedWhileAsked(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	r := d.reconnects(d.gate, home)
	asked := r.sendsTicket()
	d.server.Close(wire.ReasonShutdown)
	r.takesWelcome(r.findsFormer(asked).resumes())
	r.sendsFirstDatagram()
	r.exchangesData()

	d = playWithTicket(t, session.Config{}, session.ClientConfig{})
	r = d.reconnects(d.gate, home)
	asked = r.sendsTicket()
	d.server.Close(wire.ReasonKicked)
	r.findsFormer(asked).refuses(audit.DropTicket, wire.ReasonTicket)

	d = playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.mints("other")
	other := d.connect(session.ClientConfig{}, "other", channel)
	other.getsConnectionID()
	other.join()
	r = d.reconnects(d.anotherServer(session.Config{}), home)
	asked = r.sendsTicket()
	asked.ConnectionID = other.server.connectionID
	r.takesWelcome(r.findsFormer(asked).resumes())
	r.sendsFirstDatagram()
	r.exchangesData()
	other.exchangesData()
	d.exchangesData()
}

// "A connection on which no datagram has been accepted 5 s after WELCOME ends silently."
// PROTOCOL.md 8.3
func TestResumeNeverArrives(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	silent, closed := d.reconnects(d.gate, home), d.reconnects(d.gate, home)
	silent.takesWelcome(silent.showsTicket())
	closed.takesWelcome(closed.showsTicket())
	closed.server.Close(wire.ReasonKicked)
	d.exchangesData()
	d.waits(helloTimeout - 1)
	d.exchangesData()
	silent.now = d.now
	silent.tickServer().nothing()
	silent.waits(1)
	silent.tickServer().closesSilently(audit.DropIdle)
	if d.gate.Len() != 1 {
		t.Errorf("%d sessions", d.gate.Len())
	}
	d.exchangesData()
	d.resumesHere().exchangesData()
}

// A session that has come from elsewhere is here from WELCOME on: who is put out before the first
// datagram is out.
func TestResumeKickedBeforeFirstDatagram(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	g := d.anotherServer(session.Config{})
	r := d.reconnects(g, home)
	r.takesWelcome(r.showsTicket().resumes())
	r.server.Close(wire.ReasonKicked)
	if g.Len() != 0 {
		t.Errorf("%d sessions", g.Len())
	}
	d.reconnects(g, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
	r.reconnects(g, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket) // by the ticket of that WELCOME
}

// An outcome that nobody waits for changes nothing.
func TestResumeNobodyAskedFor(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	other := d.connect(session.ClientConfig{}, "identity", channel)
	for _, c := range []*Conn{d.server, other.server} {
		if r, ev := c.Resume(d.now, d.server, 0); r.Kind != 0 || ev.Kind != EventNone {
			t.Errorf("%v, %+v", r.Kind, ev)
		}
	}
	other.toServer(other.clientTick(wire.KindHello)[0]).verifies()
	if r, ev := other.server.Resume(d.now, d.server, 0); r.Kind != 0 || ev.Kind != EventNone {
		t.Errorf("%v, %+v", r.Kind, ev)
	}
	d.exchangesData()
}
