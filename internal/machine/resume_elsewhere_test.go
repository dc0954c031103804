package machine

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// "A ticket lets a player resume a session on a new connection, or on another server of the fleet,
// without an identity provider." PROTOCOL.md 8.1
func TestResumeElsewhere(t *testing.T) {
	ch := channel
	ch.HasCertificate, ch.Thumbprint = true, [32]byte(counting(0xb0, 32))
	d := playWithTicketOn(t, session.Config{}, session.ClientConfig{Fingerprint: phone, Scope: "match-7"}, ch)
	g := d.anotherServer(session.Config{Scope: "match-7"})
	r := d.reconnects(g, home)
	asked := r.sendsTicket().is(EventResume, audit.DropNone, 0)
	if asked.ConnectionID != 0 || g.Len() != 0 {
		t.Errorf("connection id %d, %d sessions, but it lives nowhere here", asked.ConnectionID, g.Len())
	}
	m := r.takesWelcome(r.findsFormer(asked).resumes())
	was, s := d.server.Session(), r.server.Session()
	if s.Name() != was.Name() || s.ID() != was.ID() || s.Issuer() != was.Issuer() || s.Subject() != was.Subject() ||
		s.Scope() != was.Scope() || s.Fingerprint() != phone || !s.Expires().Equal(was.Expires()) || *s.names.Load() != *was.names.Load() {
		t.Errorf("%+v, want %+v", s, was)
	}
	if m.Session != s.ID() || m.Epoch != 2 || m.ClientNext != d.client.sequence+1 || m.ServerNext != d.server.sequence+1 || m.Expiry != was.Expires().UnixMilli() {
		t.Errorf("%+v", m)
	}
	if live, ok := g.Session(m.Session); !ok || live != s || s.connectionID.Load() != r.server.connectionID {
		t.Error("the server does not know the session")
	}
	r.sendsFirstDatagram()
	r.exchangesData()
	if st := r.server.Stats(); st.Lost != 0 || st.Accepted != r.client.sequence {
		t.Errorf("%+v", st) // "numbers below count as seen"
	}
	r.resumesHere().exchangesData()
}

// "On another server of the fleet the session lives beside the former one: the newest connection
// wins." PROTOCOL.md 8.3. The player may come back to where the session
// still lives.
func TestResumeThereAndBack(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	there := d.resumesOn(d.anotherServer(session.Config{}))
	for range 10 {
		there.exchangesData()
	}
	d.exchangesData()
	up, down := there.client.sequence, there.server.sequence
	back := there.reconnects(d.gate, home)
	asked := back.sendsTicket().is(EventResume, audit.DropNone, 0)
	if back.homes[asked.ConnectionID] != d.server {
		t.Errorf("connection id %d, but the session lives at %d", asked.ConnectionID, d.server.connectionID)
	}
	if m := back.takesWelcome(back.findsFormer(asked).says(wire.KindWelcome)); m.ClientNext != up+1 || m.ServerNext != down+1 {
		t.Errorf("numbers %d and %d, want %d and %d", m.ClientNext, m.ServerNext, up+1, down+1)
	}
	back.sendsFirstDatagram()
	back.exchangesData()
	if back.server.Session() != d.server.Session() {
		t.Error("it is another session")
	}
	d.staysSilent()
}

// "WELCOME has the session id, which may be another one" PROTOCOL.md 8.3
func TestResumeIDTaken(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	g := d.anotherServer(session.Config{})
	other := d.occupiesID(g)
	r := d.reconnects(g, home)
	asked := r.sendsTicket().is(EventResume, audit.DropNone, 0)
	if asked.ConnectionID != 0 {
		t.Error("it is taken for the other session")
	}
	r.takesWelcome(r.findsFormer(asked).resumes())
	r.sendsFirstDatagram()
	s := r.server.Session()
	if s.ID() == 0 || s.ID() == other.ID() || s.Name() != d.server.Session().Name() || r.client.ID() != s.ID() {
		t.Errorf("session %d, want another id than %d", s.ID(), other.ID())
	}
	r.exchangesData()
	next := r.resumesHere() // found by its new id
	next.exchangesData()
	if next.server.Session() != s || g.Len() != 2 {
		t.Errorf("%d sessions", g.Len())
	}
}

// occupiesID admits another session at a gate under the id of d's.
func (d *dialogue) occupiesID(g *Gate) *Session {
	s := &Session{id: d.server.Session().ID(), name: [16]byte{1}}
	s.connectionID.Store(1 << 31)
	g.sessions[s.id] = s
	return s
}

// "A server without fleet keys gives no tickets, and refuses all." PROTOCOL.md 8
func TestResumeWithoutKeys(t *testing.T) {
	plain := play(t, session.Config{}, session.ClientConfig{})
	if plain.server.Resumable() || plain.client.Resumable() || plain.client.ticket != nil {
		t.Error("a ticket without keys")
	}
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	r := d.reconnects(plain.gate, home)
	r.showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
	d.exchangesData()
}

// "It issues no ticket if the names are too long for 512 bytes." docs/fleet.md 8.1
func TestTicketNamesTooLong(t *testing.T) {
	const room = 512 - 32 - 115 - 8*2 - 5 // for names beside a network prefix of IPv4
	for n, want := range map[int]bool{room - 1: true, room: true, room + 1: false} {
		d := connectOnly(t, session.Config{FleetKeys: fleet(t)}, session.ClientConfig{})
		c := d.claims["identity"]
		c.Subject = strings.Repeat("s", n-len(c.Issuer)-len(c.ID)-len(c.Scope))
		d.join()
		if d.server.Resumable() != want || d.client.Resumable() != want || len(d.client.ticket) > wire.MaxTicket {
			t.Errorf("names of %d bytes: resumable %v, want %v", n, d.client.Resumable(), want)
		}
		d.exchangesData()
	}
}

// Rate and behaviour go with the session "where they are known": another server begins anew.
func TestResumeElsewhereOwesNothing(t *testing.T) {
	d := playWithTicket(t, session.Config{Behaviour: policy.BehaviourConfig{Datagrams: 1, DatagramBurst: 3}}, session.ClientConfig{})
	for range 2 {
		d.exchangesData()
	}
	d.toServer(d.clientSends(wire.KindData, "too many")).drops(audit.DropRate)
	r := d.resumesOn(d.anotherServer(session.Config{Behaviour: policy.BehaviourConfig{Datagrams: 1, DatagramBurst: 2}}))
	r.exchangesData()
	r.toServer(r.clientSends(wire.KindData, "too many")).drops(audit.DropRate)
}
