package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// "A session is not valid past the expiry in the ticket, or a later one that the server knows of
// it." PROTOCOL.md 8.3
func TestResumeExpiry(t *testing.T) {
	d := playWithTicket(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
	end := begin.Add(tokenLife)
	d.waits(tokenLife / 2)
	r := d.resumesHere()
	r.now = end.Add(-1)
	r.toServer(r.clientSends(wire.KindData, "last")).delivers("last")
	r.waits(1)
	r.toServer(r.clientSends(wire.KindData, "late")).ends(audit.DropExpired, wire.ReasonExpired)

	// The ticket is of an older token than the one that the server knows.
	d = playWithTicket(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
	r = d.reconnects(d.gate, home)
	d.waits(tokenLife / 2)
	d.renewsWith("second")
	d.exchangesData()
	r.now = d.now
	m := r.takesWelcome(r.showsTicket())
	r.sendsFirstDatagram()
	if want := begin.Add(3 * tokenLife / 2); m.Expiry != want.UnixMilli() || !r.server.Session().Expires().Equal(want) ||
		r.server.Session().TokenID() != "id of second" {
		t.Errorf("until %v and %v", time.UnixMilli(m.Expiry), r.server.Session().Expires())
	}
}

// A session that outlives its token by the leeway is resumed by a ticket of a later one, and nobody
// waits for the leeway to be over: the player could be put out by silence first.
func TestResumeInLeeway(t *testing.T) {
	for _, beyond := range []time.Duration{-1, 0} {
		d := playWithTicket(t, session.Config{Idle: time.Hour, Leeway: token.MaxLeeway}, session.ClientConfig{})
		d.waits(tokenLife / 2)
		d.renewsWith("second")
		d.waits(tokenLife/2 + token.MaxLeeway + beyond)
		r := d.reconnects(d.gate, home)
		if beyond == 0 { // the former connection is about to end
			r.showsTicket().refuses(audit.DropBusy, wire.ReasonBusy)
			d.tickServer().ends(audit.DropExpired, wire.ReasonExpired)
			r = d.reconnects(d.gate, home)
		}
		r.takesWelcome(r.showsTicket())
		r.sendsFirstDatagram()
		r.waits(tokenLife / 4)
		r.exchangesData()
	}
}

// RENEWED has come, and nothing in its epoch: the ticket of RENEWED says what the server will know
// of the session.
func TestResumeByTicketOfRenewed(t *testing.T) {
	d := playWithTicket(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
	d.waits(tokenLife / 2)
	d.renewsWith("second")
	r := d.reconnects(d.gate, home)
	m := r.takesWelcome(r.showsTicket())
	if m.Epoch != 3 {
		t.Errorf("epoch %d, want the one after the ticket's", m.Epoch)
	}
	if s := d.server.Session(); !s.Expires().Equal(begin.Add(tokenLife)) || s.TokenID() != "id of identity" {
		t.Error("for the session something has changed")
	}
	r.sendsFirstDatagram()
	want := begin.Add(3 * tokenLife / 2)
	if s := r.server.Session(); !s.Expires().Equal(want) || s.TokenID() != "id of second" {
		t.Errorf("until %v by %q", s.Expires(), s.TokenID())
	}
	if m.Expiry != want.UnixMilli() || !r.client.Expires().Equal(want) {
		t.Errorf("WELCOME says until %v, want %v", time.UnixMilli(m.Expiry), want)
	}
	r.now = begin.Add(tokenLife + time.Second) // past the life of the token that the ticket has left behind
	r.exchangesData()
	r.resumesHere().exchangesData()
}
