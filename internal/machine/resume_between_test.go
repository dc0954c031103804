package machine

import (
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// What ends the session where it lives ends it before it has moved.
func TestResumeEndsBefore(t *testing.T) {
	for name, end := range map[string]struct {
		how   func(d *dialogue)
		drop  audit.Drop
		after audit.Drop // why the ticket is refused then
	}{
		"left": {func(d *dialogue) {
			d.toServer(d.say(wire.KindClose, closeBody)).is(EventClosed, audit.DropNone, 0)
		}, audit.DropState, audit.DropTicket},
		"kicked":  {func(d *dialogue) { d.server.Close(wire.ReasonKicked) }, audit.DropState, audit.DropTicket},
		"revoked": {func(d *dialogue) { d.server.Session().Revoke() }, audit.DropRevoked, audit.DropRevoked},
		"revoked, and told": {func(d *dialogue) {
			d.server.Session().Revoke()
			d.tickServer().ends(audit.DropRevoked, wire.ReasonRevoked)
		}, audit.DropRevoked, audit.DropRevoked},
		"idle": {func(d *dialogue) {
			d.pass(session.DefaultIdle)
			d.tickServer().ends(audit.DropIdle, wire.ReasonIdle)
		}, audit.DropIdle, audit.DropNone},
	} {
		t.Run(name, func(t *testing.T) {
			d := stay(t, session.Config{}, session.ClientConfig{})
			r := d.again(d.gate, home)
			third := d.again(d.gate, home)
			r.welcomed(r.shows())
			end.how(d)
			r.toServer(r.say(wire.KindData, "too late")).fades(end.drop)
			if h := third.shows(); end.after != audit.DropNone {
				h.refuses(end.after, reasons[end.after])
			} else {
				third.welcomed(h.resumes())
				third.settles()
				third.talks()
			}
		})
	}
}

// "One that has no verdict on the token 5 s after HELLO gives up with reason 12." PROTOCOL.md 5.1.
// The ticket is good then.
func TestResumeNoOutcome(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	r := d.again(d.gate, home)
	asked := r.asks()
	r.pass(helloTimeout - 1)
	r.tickServer().nothing()
	r.pass(1)
	r.toClient(r.tickServer().refuses(audit.DropBusy, wire.ReasonBusy).envelope).closes(wire.ReasonBusy)
	r.finds(asked).nothing()
	d.talks()
	d.moves().talks()
}

// Between EventResume and its outcome time may pass: a former connection that has ended, or is another session's, is
// none.
func TestResumeEndedWhileAsked(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	r := d.again(d.gate, home)
	asked := r.asks()
	d.server.Close(wire.ReasonShutdown)
	r.welcomed(r.finds(asked).resumes())
	r.settles()
	r.talks()

	d = stay(t, session.Config{}, session.ClientConfig{})
	r = d.again(d.gate, home)
	asked = r.asks()
	d.server.Close(wire.ReasonKicked)
	r.finds(asked).refuses(audit.DropTicket, wire.ReasonTicket)

	d = stay(t, session.Config{}, session.ClientConfig{})
	d.mint("other")
	other := d.connect(session.ClientConfig{}, "other", channel)
	other.arrive()
	other.join()
	r = d.again(d.sister(session.Config{}), home)
	asked = r.asks()
	asked.Hint = other.server.hint
	r.welcomed(r.finds(asked).resumes())
	r.settles()
	r.talks()
	other.talks()
	d.talks()
}

// "A connection on which no datagram has been accepted 5 s after WELCOME ends silently."
// PROTOCOL.md 8.3
func TestResumeNeverArrives(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	silent, closed := d.again(d.gate, home), d.again(d.gate, home)
	silent.welcomed(silent.shows())
	closed.welcomed(closed.shows())
	closed.server.Close(wire.ReasonKicked)
	d.talks()
	d.pass(helloTimeout - 1)
	d.talks()
	silent.now = d.now
	silent.tickServer().nothing()
	silent.pass(1)
	silent.tickServer().fades(audit.DropIdle)
	if d.gate.Len() != 1 {
		t.Errorf("%d sessions", d.gate.Len())
	}
	d.talks()
	d.moves().talks()
}

// A session that has come from elsewhere is here from WELCOME on: who is put out before the first datagram is out.
func TestResumeKickedBeforeFirstDatagram(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	g := d.sister(session.Config{})
	r := d.again(g, home)
	r.welcomed(r.shows().resumes())
	r.server.Close(wire.ReasonKicked)
	if g.Len() != 0 {
		t.Errorf("%d sessions", g.Len())
	}
	d.again(g, home).shows().refuses(audit.DropTicket, wire.ReasonTicket)
	r.again(g, home).shows().refuses(audit.DropTicket, wire.ReasonTicket) // by the ticket of that WELCOME
}

// An outcome that nobody waits for changes nothing.
func TestResumeNobodyAskedFor(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	other := d.connect(session.ClientConfig{}, "identity", channel)
	for _, c := range []*Conn{d.server, other.server} {
		if r, ev := c.Resume(d.now, d.server, 0); r.Kind != 0 || ev.Kind != EventNone {
			t.Errorf("%v, %+v", r.Kind, ev)
		}
	}
	other.toServer(other.ticks(wire.KindHello)[0]).verifies()
	if r, ev := other.server.Resume(d.now, d.server, 0); r.Kind != 0 || ev.Kind != EventNone {
		t.Errorf("%v, %+v", r.Kind, ev)
	}
	d.talks()
}
