package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// A player whom the match refuses has never been there: CLOSE answers HELLO, and every copy of it,
// and the token opens a session later.
func TestReject(t *testing.T) {
	for reason, want := range map[wire.Reason]struct {
		reason wire.Reason
		drop   audit.Drop
		later  uint32
	}{
		wire.ReasonGame + 1: {wire.ReasonGame + 1, audit.DropMatch, 0},
		wire.ReasonFull:     {wire.ReasonFull, audit.DropFull, 1000},
		wire.ReasonIdle:     {wire.ReasonIdle, audit.DropMatch, 0},
		0:                   {wire.ReasonKicked, audit.DropMatch, 0},
	} {
		d := connectOnly(t, session.Config{}, session.ClientConfig{Metadata: []byte("skin=7")})
		if got := string(d.verifiesToken(d.sendsTicket()).joins().Payload); got != "skin=7" {
			t.Errorf("metadata %q", got)
		}
		r, ev := d.server.Reject(reason, "no place")
		h := d.heard(r, ev, d.server.Append)
		h.is(EventClosed, want.drop, wire.KindClose)
		d.waits(time.Second)
		if again := d.sendsTicket(); string(again.envelope) != string(h.envelope) {
			t.Errorf("%v: a copy of HELLO gets %x, want %x", reason, again.envelope, h.envelope)
		}
		d.toClient(h.envelope).is(EventClosed, audit.DropNone, 0)
		m, err := wire.ParseCloseBody(h.body)
		if err != nil || m.Reason != want.reason || m.RetryAfter != want.later || string(m.Detail) != "no place" {
			t.Errorf("%v: %+v, %v", reason, m, err)
		}
		if n := d.gate.Len(); n != 0 || len(d.gate.memory.entries) != 0 {
			t.Errorf("%v: %d sessions and %d entries are left", reason, n, len(d.gate.memory.entries))
		}
		for slot, keys := range d.gate.memory.slots {
			if len(keys) > 0 {
				t.Errorf("%v: slot %d has %d keys", reason, slot, len(keys))
			}
		}
		d.connect(session.ClientConfig{}, "identity", channel).join()
	}
}

// A session that has been revoked by the match while it was asked stays revoked.
func TestRejectRevoked(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	d.verifiesToken(d.sendsTicket()).joins()
	d.server.Session().Revoke()
	d.server.Reject(wire.ReasonKicked, "")
	again := d.connect(session.ClientConfig{}, "identity", channel)
	again.verifiesToken(again.sendsTicket()).is(EventRefused, audit.DropUsed, wire.KindClose)
}

// "a client that resumes MUST NOT send it again" PROTOCOL.md 3.1
func TestResumeWithoutMetadata(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{Metadata: []byte("skin=7")})
	m, err := wire.ParseHello(d.reconnects(d.gate, home).client.hello)
	if err != nil || m.Ticket == nil || m.Metadata != nil {
		t.Errorf("%+v, %v", m, err)
	}
	d.resumesHere()
}

// "If a match puts a player out, the server MUST end the tickets, whatever reason the match gives."
// PROTOCOL.md 5.5
func TestRejectResumed(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	here := d.resumesHere()
	r, ev := here.server.Reject(wire.ReasonShutdown, "")
	here.heard(r, ev, here.server.Append).is(EventClosed, audit.DropMatch, wire.KindClose)
	again := here.reconnects(d.gate, home)
	again.showsTicket().is(EventRefused, audit.DropTicket, wire.KindClose)
}

// What is done to a session that the match has refused does not touch the one that its token opens
// later.
func TestRejectedIsOver(t *testing.T) {
	d := connectOnly(t, session.Config{FleetKeys: fleet(t)}, session.ClientConfig{})
	addIDs(d.claims["identity"])
	d.verifiesToken(d.sendsTicket()).joins()
	refused := d.server.Session()
	d.server.Reject(wire.ReasonFull, "")
	d = d.connect(session.ClientConfig{}, "identity", channel)
	d.getsConnectionID()
	d.join()
	d.exchangesData()
	if refused.Revoke() || !refused.Revoked() {
		t.Error("the refused session is not over")
	}
	d.exchangesData()
	d.resumesHere()
}
