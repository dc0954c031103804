package machine

import (
	"bytes"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "The server MUST answer the same HELLO body on the same connection with the same answer in a new
// record, and do nothing twice. This holds until the server has accepted a datagram of the
// session." PROTOCOL.md 5.1
func TestResumeWelcomeLost(t *testing.T) {
	for _, here := range []bool{true, false} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		g := d.gate
		if !here {
			g = d.anotherServer(session.Config{})
		}
		r := d.reconnects(g, home)
		hello := r.clientTick(wire.KindHello)[0]
		asked := r.toServer(hello)
		r.toServer(hello).nothing() // while it is asked for
		welcome := r.findsFormer(asked)
		for range 3 {
			if again := r.toServer(hello).says(wire.KindWelcome); !bytes.Equal(again.envelope, welcome.envelope) {
				t.Fatal("another WELCOME")
			}
		}
		d.exchangesData()
		r.takesWelcome(welcome)
		r.sendsFirstDatagram()
		r.toServer(hello).drops(audit.DropState)
		r.exchangesData()
		if g.Len() != 1 {
			t.Errorf("%d sessions", g.Len())
		}
	}
}

// "Until then the session lives on the former connection, and the same ticket may be shown on a
// third: the first of them on which a datagram is accepted wins." PROTOCOL.md 8.3
// "That uses up the ticket, and all of the session's tickets whose epoch is not later. It ends the
// former connection silently" PROTOCOL.md 8.3
func TestResumeOnThirdConnection(t *testing.T) {
	for _, last := range []bool{true, false} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		winner, loser := d.reconnects(d.gate, home), d.reconnects(d.gate, home)
		if last {
			winner, loser = loser, winner
		}
		for _, r := range []*dialogue{winner, loser} {
			r.takesWelcome(r.showsTicket().says(wire.KindWelcome))
		}
		d.exchangesData()
		winner.sendsFirstDatagram()
		d.staysSilent()
		loser.toServer(loser.clientSends(wire.KindData, "too late")).closesSilently(audit.DropState)
		loser.reconnects(d.gate, home).showsTicket() // the ticket of its WELCOME
		winner.exchangesData()
		d.reconnects(d.gate, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
		winner.exchangesData()
		winner.resumesHere().exchangesData()
	}
}

// "If the session lives nowhere on the server, the newest of them takes the place of the others."
// PROTOCOL.md 8.3
func TestResumeElsewhereOnThirdConnection(t *testing.T) {
	for _, taken := range []bool{true, false} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		g := d.anotherServer(session.Config{})
		others := 0
		if taken { // the session's id, by another one
			d.occupiesID(g)
			others = 1
		}
		first, winner := d.reconnects(g, home), d.reconnects(g, home)
		first.takesWelcome(first.showsTicket().resumes())
		winner.takesWelcome(winner.showsTicket().resumes())
		first.toServer(first.clientSends(wire.KindData, "too late")).drops(audit.DropState)
		winner.sendsFirstDatagram()
		first.staysSilent()
		if s := winner.server.Stats(); s.Lost != 0 || s.Accepted != winner.client.sequence || g.Len() != 1+others {
			t.Errorf("%+v, %d sessions", s, g.Len())
		}
		winner.exchangesData()
		d.reconnects(g, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
		winner.resumesHere().exchangesData()
	}
}

// fill leaves no room in a gate's memory; empty takes out again what it has put in.
func fill(g *Gate) (empty func()) {
	m := &g.memory
	m.advance(begin)
	n := uint64(0)
	for ; m.fitsToken(g.config.MaxSessions); n++ {
		m.entries[n] = remembered{why: audit.DropUsed, ends: forgetAt(begin.Add(tokenLife))}
	}
	return func() {
		for i := range n {
			delete(m.entries, i)
		}
	}
}

// "After reasons 2, 11, 12 and 16 a client may try again as it is, not before retry-after"
// PROTOCOL.md 10. Who is here, or has been let in before there was no room, goes on: a session
// takes no more room for that.
func TestResumeMemoryFull(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	fill(d.gate)
	d.resumesHere().resumesHere().exchangesData()

	d = playWithTicket(t, session.Config{}, session.ClientConfig{})
	g := d.anotherServer(session.Config{})
	before, late := d.reconnects(g, home), d.reconnects(g, home)
	before.takesWelcome(before.showsTicket())
	empty := fill(g)
	h := late.showsTicket().refuses(audit.DropFull, wire.ReasonFull)
	if m, err := wire.ParseCloseBody(h.body); err != nil || m.RetryAfter == 0 {
		t.Errorf("%+v, %v", m, err)
	}
	before.sendsFirstDatagram()
	before.exchangesData()
	empty()
	before.resumesHere().exchangesData()
}

// A player who resumes again and again takes no more memory than one who does once.
func TestResumeOften(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	first := d
	for range 50 {
		d = d.resumesHere()
	}
	if n := len(d.gate.memory.entries); n != 1 {
		t.Errorf("%d entries", n)
	}
	first.reconnects(d.gate, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
	d.exchangesData()
}

// A session that a server has terminated stays terminated there, with any ticket of any token:
// another server has issued it.
func TestTerminatedWithALaterTicket(t *testing.T) {
	d := playWithTicket(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
	g := d.anotherServer(session.Config{Idle: time.Hour})
	early := d.reconnects(g, home) // by the ticket of WELCOME
	d.waits(tokenLife / 2)
	d.renewsWith("second")
	early.now = d.now
	early.takesWelcome(early.showsTicket().resumes())
	early.sendsFirstDatagram()
	early.server.Close(wire.ReasonKicked)
	for range 30 {
		d.waits(30 * time.Second)
		g.Sweep(d.now)
		d.reconnects(g, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
		if d.now.After(begin.Add(tokenLife + tokenLife/2 - time.Minute)) {
			break
		}
	}
}
