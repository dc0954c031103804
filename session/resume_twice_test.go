package session

import (
	"bytes"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/wire"
)

// "The same HELLO body again on the same connection gets the same answer in a new record, and nothing is done twice.
// This holds until the server has accepted a datagram of the session." PROTOCOL.md 5.1
func TestResumeWelcomeLost(t *testing.T) {
	for _, here := range []bool{true, false} {
		d := stay(t, Config{}, ClientConfig{})
		g := d.gate
		if !here {
			g = d.sister(Config{})
		}
		r := d.again(g, home)
		hello := r.ticks(wire.KindHello)[0]
		asked := r.toServer(hello)
		r.toServer(hello).nothing() // while it is asked for
		welcome := r.finds(asked)
		for range 3 {
			if again := r.toServer(hello).says(wire.KindWelcome); !bytes.Equal(again.envelope, welcome.envelope) {
				t.Fatal("another WELCOME")
			}
		}
		d.talks()
		r.welcomed(welcome)
		r.settles()
		r.toServer(hello).drops(audit.DropState)
		r.talks()
		if g.Len() != 1 {
			t.Errorf("%d sessions", g.Len())
		}
	}
}

// "Until then the session lives on the old connection, and the same ticket may be shown on a third: the first of them
// on which a datagram is accepted wins." PROTOCOL.md 8.3
// "That uses the ticket up, ends the old connection without a word" PROTOCOL.md 8.3
func TestResumeOnThirdConnection(t *testing.T) {
	for _, last := range []bool{true, false} {
		d := stay(t, Config{}, ClientConfig{})
		winner, loser := d.again(d.gate, home), d.again(d.gate, home)
		if last {
			winner, loser = loser, winner
		}
		for _, r := range []*dialogue{winner, loser} {
			r.welcomed(r.shows().says(wire.KindWelcome))
		}
		d.talks()
		winner.settles()
		d.dumb()
		lost := loser.toServer(loser.say(wire.KindData, "too late")).ends(audit.DropState, wire.ReasonTicket)
		loser.toClient(lost.envelope).closes(wire.ReasonTicket)
		winner.talks()
		d.again(d.gate, home).shows().refuses(audit.DropTicket, wire.ReasonTicket)
		winner.talks()
		winner.moves().talks()
	}
}

// The same where the session has come from elsewhere, and waits for its first datagram on the connection before.
func TestResumeElsewhereOnThirdConnection(t *testing.T) {
	for _, last := range []bool{true, false} {
		d := stay(t, Config{}, ClientConfig{})
		g := d.sister(Config{})
		first, second := d.again(g, home), d.again(g, home)
		first.welcomed(first.shows().resumes())
		second.welcomed(second.shows().says(wire.KindWelcome))
		winner := first
		if last {
			winner = second
		}
		winner.settles()
		if last {
			first.dumb()
		} else {
			second.toServer(second.say(wire.KindData, "too late")).ends(audit.DropTicket, wire.ReasonTicket)
		}
		if s := winner.server.Stats(); s.Lost != 0 || s.Accepted != winner.client.sequence || g.Len() != 1 {
			t.Errorf("%+v, %d sessions", s, g.Len())
		}
		winner.talks()
		d.again(g, home).shows().refuses(audit.DropTicket, wire.ReasonTicket)
		winner.moves().talks()
	}
}

// The loser of two connections that go on where the session's id was taken, so that neither knows of the other, ends
// alone: the winner's session is not over, and its tickets are good.
func TestResumeTwiceUnderOtherIDs(t *testing.T) {
	d := stay(t, Config{}, ClientConfig{})
	g := d.sister(Config{})
	d.taken(g)
	winner, loser := d.again(g, home), d.again(g, home)
	winner.welcomed(winner.shows().resumes())
	loser.welcomed(loser.shows().resumes())
	winner.settles()
	loser.toServer(loser.say(wire.KindData, "too late")).ends(audit.DropTicket, wire.ReasonTicket)
	winner.talks()
	if g.Len() != 2 {
		t.Errorf("%d sessions", g.Len())
	}
	winner.moves().talks()
}

// fill leaves no room in a gate's memory; empty takes out again what it has put in.
func fill(g *Gate) (empty func()) {
	m := &g.memory
	m.turn(begin)
	n := 0
	for ; len(m.young)+len(m.old) < maxRemembered; n++ {
		m.young[thing(n)] = audit.DropUsed
	}
	return func() {
		for i := range n {
			delete(m.young, thing(i))
		}
	}
}

// "After reasons 2, 11, 12 and 16 a client may try again as it is" PROTOCOL.md 10
func TestResumeMemoryFull(t *testing.T) {
	for _, here := range []bool{true, false} {
		d := stay(t, Config{}, ClientConfig{})
		g := d.gate
		if !here {
			g = d.sister(Config{})
		}
		r := d.again(g, home)
		r.welcomed(r.shows())
		empty := fill(g)
		r.toServer(r.say(wire.KindData, "no room")).ends(audit.DropFull, wire.ReasonFull)
		d.talks()
		empty()
		again := d.again(g, home)
		again.welcomed(again.shows())
		again.settles()
		again.talks()
	}
}
