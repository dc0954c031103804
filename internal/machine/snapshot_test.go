package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "A process that is replaced hands its sessions and the connections under them to its successor,
// and their players go on without a handshake." docs/fleet.md 8.4
func TestRestart(t *testing.T) {
	ch := channel
	ch.HasCertificate, ch.Thumbprint = true, [32]byte(counting(0xb0, 32))
	for name, d := range map[string]*dialogue{
		"bound":   playWithTicketOn(t, session.Config{}, session.ClientConfig{Fingerprint: phone, Scope: "match-7"}, ch),
		"unbound": playWithTicket(t, session.Config{AllowUnbound: true}, session.ClientConfig{Unbound: true}),
		"resumed": playWithTicket(t, session.Config{}, session.ClientConfig{}).resumesHere(),
		"window":  playWithTicket(t, session.Config{Window: 8192}, session.ClientConfig{}),
	} {
		t.Run(name, func(t *testing.T) {
			seen, late := d.clientSends(wire.KindData, "seen"), d.clientSends(wire.KindData, "late")
			d.clientSends(wire.KindData, "lost")
			d.toServer(seen).delivers("seen")
			d.exchangesData()
			was, before, sent := d.server.Session(), d.server.Stats(), d.serverSends(wire.KindData, "on its way")
			r := d.restarts()
			s := r.server.Session()
			if s.Name() != was.Name() || s.ID() != was.ID() || s.Issuer() != was.Issuer() || s.Subject() != was.Subject() || s.Scope() != was.Scope() ||
				s.Fingerprint() != was.Fingerprint() || !s.Expires().Equal(was.Expires()) || *s.names.Load() != *was.names.Load() {
				t.Errorf("%+v, want %+v", s, was)
			}
			if !r.server.Resumable() {
				t.Error("the player's ticket is forgotten")
			}
			if live, ok := r.gate.Session(s.ID()); !ok || live != s || r.gate.Len() != 1 || s.connectionID.Load() != d.server.connectionID {
				t.Error("the new process does not know the session")
			}
			before.Sent++
			if st := r.server.Stats(); st != before {
				t.Errorf("%+v, want %+v", st, before)
			}
			r.toClient(sent).delivers("on its way")
			r.toServer(seen).drops(audit.DropReplay)
			r.toServer(late).delivers("late")
			r.exchangesData()
			if r.server.sequence != before.Sent+1 || r.epochs()[0] != r.epochs()[1] {
				t.Errorf("%d sent after %d, epochs %d", r.server.sequence, before.Sent, r.epochs())
			}
			r.renewsWith("second")
			r.exchangesData()
			if h := r.toServer(r.clientSends(wire.KindPing, pingBody)).says(wire.KindPong); len(h.body) != 8+4 {
				t.Error("the client gets no reports any more")
			}
			r.resumesHere().exchangesData()
		})
	}
}

// "older ones count as seen" docs/fleet.md 8.4. Of the window 256 numbers are handed on.
func TestRestartWindow(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	var sent [][]byte
	for range 258 {
		sent = append(sent, d.clientSends(wire.KindData, "input"))
	}
	d.toServer(sent[257]).delivers("input")
	r := d.restarts()
	r.toServer(sent[0]).drops(audit.DropReplay)
	r.toServer(sent[1]).drops(audit.DropReplay)
	r.toServer(sent[2]).delivers("input")
	r.toServer(sent[256]).delivers("input")
	r.toServer(sent[257]).drops(audit.DropReplay)
}

// The ticket that a player has from the old process is good in the new one, on the same server and
// elsewhere.
func TestRestartThenResume(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	r := d.restarts()
	next := r.reconnects(r.gate, home)
	asked := next.sendsTicket().is(EventResume, audit.DropNone, 0)
	if next.homes[asked.ConnectionID] != r.server {
		t.Errorf("connection id %d, but the session lives at %d", asked.ConnectionID, r.server.connectionID)
	}
	next.takesWelcome(next.findsFormer(asked).says(wire.KindWelcome))
	next.sendsFirstDatagram()
	next.exchangesData()
	r.staysSilent()

	r = playWithTicket(t, session.Config{}, session.ClientConfig{}).restarts()
	r.resumesOn(r.anotherServer(session.Config{})).exchangesData()
}

// Epochs go on: the current one with its keys, and one that has been made.
func TestRestartAfterRenewal(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	old := d.clientSends(wire.KindData, "old")
	d.renewsWith("second")
	d.exchangesData()
	r := d.restarts()
	r.exchangesData()
	r.toServer(old).drops(audit.DropEpoch) // its overlap ends with the old process
	if r.epochs() != [2]uint32{2, 2} || r.server.Session().TokenID() != "id of second" {
		t.Errorf("epochs %d", r.epochs())
	}
}

// RENEWED has been sent and is lost: "It MUST answer the same token with the same RENEWED, and the
// epoch moves once." PROTOCOL.md 5.3
func TestRestartWhileRenewedIsLost(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.waits(tokenLife / 2)
	c := d.mints("second")
	addIDs(c)
	lost := d.present(d.renew("second")...).renews()
	r := d.restarts()
	if s := r.server.Session(); s.TokenID() != "id of identity" || !s.Expires().Equal(begin.Add(tokenLife)) {
		t.Error("the new token holds before it is used")
	}
	r.exchangesData()
	r.waits(200 * time.Millisecond)
	for range 2 {
		again := r.toServer(r.clientTick(wire.KindRenew)[0]).says(wire.KindRenewed)
		m, err := wire.ParseRenewed(again.body)
		was, _ := wire.ParseRenewed(lost.body)
		ticket, bad := resume.OpenTicket(r.gate.config.FleetKeys, r.now, m.Ticket)
		if err != nil || bad != nil || m.Epoch != was.Epoch || m.Secret != was.Secret || m.Expiry != was.Expiry ||
			ticket.Epoch != 2 || ticket.TokenID != c.ID || ticket.Expires != c.Expires.UnixMilli() || ticket.Network != r.server.path {
			t.Errorf("%+v after %+v: %v, %v", m, was, err, bad)
		}
		lost = again
		r.waits(400 * time.Millisecond)
	}
	r.mints("third")
	other := r.clientSends(wire.KindRenew, "\x00\x05\x00\x00third")
	r.toServer(other).drops(audit.DropState)
	r.toClient(lost.envelope).renews()
	r.exchangesData()
	if s := r.server.Session(); r.epochs() != [2]uint32{2, 2} || s.TokenID() != c.ID || !s.Expires().Equal(c.Expires) || s.names.Load().signIn != "sign-in" {
		t.Errorf("epochs %d, token %q until %v", r.epochs(), s.TokenID(), s.Expires())
	}
	r.resumesHere().exchangesData()
}

// The same for a RENEWED that has come: the first datagram of its epoch moves it.
func TestRestartAfterRenewed(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.waits(tokenLife / 2)
	d.renewsWith("second")
	r := d.restarts()
	r.toClient(r.serverSends(wire.KindData, "in the old")).delivers("in the old")
	r.exchangesData()
	if s := r.server.Session(); r.epochs() != [2]uint32{2, 2} || s.TokenID() != "id of second" {
		t.Errorf("epochs %d, token %q", r.epochs(), s.TokenID())
	}
}
