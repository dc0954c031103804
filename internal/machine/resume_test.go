package machine

import (
	"fmt"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// "The session moves with the first datagram that is accepted on the new connection." PROTOCOL.md
// 8.3 "Until then the session lives on the former connection" PROTOCOL.md 8.3
func TestResume(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{Fingerprint: phone, Scope: "match-7"})
	s := d.server.Session()
	if !d.server.Resumable() || !d.client.Resumable() {
		t.Error("no ticket")
	}
	r := d.reconnects(d.gate, home)
	asked := r.sendsTicket().is(EventResume, audit.DropNone, 0)
	if r.homes[asked.ConnectionID] != d.server {
		t.Errorf("connection id %d, but the session lives at %d", asked.ConnectionID, d.server.connectionID)
	}
	d.exchangesData()
	welcome := r.findsFormer(asked).says(wire.KindWelcome)
	if !r.server.livesOnFormer() || d.gate.Len() != 1 {
		t.Error("the session has moved with WELCOME")
	}
	d.exchangesData()
	late, stale := d.serverSends(wire.KindData, "late"), d.clientSends(wire.KindData, "stale")
	if m := r.takesWelcome(welcome); m.Session != s.ID() || m.Epoch != 2 || m.Expiry != s.Expires().UnixMilli() || len(m.Ticket) == 0 {
		t.Errorf("%+v", m)
	}
	first := r.clientSends(wire.KindData, "first")
	r.toServer(mistag(first)).drops(audit.DropTag)
	d.toClient(late).delivers("late")
	if !r.server.livesOnFormer() {
		t.Error("a forged datagram moves the session")
	}
	r.toServer(first).delivers("first")
	live, _ := d.gate.Session(s.ID())
	if live != s || r.server.Session() != s || r.server.livesOnFormer() || d.gate.Len() != 1 {
		t.Error("it is another session, or has not moved")
	}
	d.toServer(stale).drops(audit.DropState)
	d.staysSilent()
	r.exchangesData()
	if !r.client.Live() || r.client.ID() != s.ID() || !r.client.Expires().Equal(s.Expires()) || r.client.former != nil {
		t.Error("the client does not know its session")
	}
}

// "The client MUST send a datagram, a PING if it has nothing else, as soon as it has WELCOME."
// PROTOCOL.md 8.3
func TestResumeFirstIsPing(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	r := d.reconnects(d.gate, home)
	r.takesWelcome(r.showsTicket())
	ping := r.clientTick(wire.KindPing)
	if len(ping) != 1 {
		t.Fatalf("%d PINGs", len(ping))
	}
	r.toServer(ping[0]).says(wire.KindPong)
	d.staysSilent()
}

// "Both ends go on with higher numbers than either connection has used: a sender may skip numbers
// after WELCOME." PROTOCOL.md 8.3
func TestResumeNumbers(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	r := d.reconnects(d.gate, home)
	welcome := r.showsTicket()
	for range 5 {
		d.exchangesData() // while WELCOME is on its way
	}
	up, down := d.client.sequence, d.server.sequence
	r.takesWelcome(welcome)
	ping := r.clientTick(wire.KindPing)[0]
	pong := r.toServer(ping).says(wire.KindPong).envelope
	for name, b := range map[string][2]uint64{"client": {sequenceOf(ping), up + 1}, "server": {sequenceOf(pong), down + 1}} {
		if b[0] != b[1] {
			t.Errorf("the %s's first is %d, want %d", name, b[0], b[1])
		}
	}
	r.toClient(pong).is(EventPong, audit.DropNone, 0)
	r.exchangesData()
}

// sequenceOf is the low half of an envelope's.
func sequenceOf(envelope []byte) uint64 {
	e, err := wire.Parse(envelope)
	if err != nil {
		panic(err)
	}
	return uint64(e.Seq)
}

// The sending half of the old connection is at work while the session moves; run with -race.
func TestResumeWhileSending(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	r := d.reconnects(d.gate, home)
	r.takesWelcome(r.showsTicket())
	first, started, ended := r.clientSends(wire.KindData, "first"), make(chan struct{}), make(chan error)
	go func() {
		close(started)
		var err error
		for i := 0; i < 1_000_000 && err == nil; i++ {
			_, err = d.server.Append(nil, wire.KindData, nil)
		}
		ended <- err
	}()
	<-started
	_, ev := r.server.Handle(r.now, first)
	if err := <-ended; ev.Kind != EventData || err != ErrNotLive {
		t.Errorf("drop %v, Append: %v", ev.Drop, err)
	}
	r.server.Follow(d.server)
	if r.serverSends(wire.KindData, "next"); r.server.sequence != d.server.sequence+1 {
		t.Errorf("%d after %d", r.server.sequence, d.server.sequence)
	}
}

// "Numbers below count as seen." PROTOCOL.md 8.3
func TestResumeOldNumbers(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.clientSends(wire.KindData, "lost on the old connection")
	r := d.reconnects(d.gate, home)
	m := r.takesWelcome(r.showsTicket())
	for _, seq := range []uint64{1, m.ClientNext - 2, m.ClientNext - 1} {
		r.client.sequence = seq - 1
		r.toServer(r.clientSends(wire.KindData, "old")).drops(audit.DropReplay)
	}
	for _, seq := range []uint64{1, m.ServerNext - 1} {
		r.server.sequence = seq - 1
		r.toClient(r.serverSends(wire.KindData, "old")).drops(audit.DropReplay)
	}
	if !r.server.livesOnFormer() {
		t.Error("an old number moves the session")
	}
	r.client.sequence = m.ClientNext - 1
	r.toServer(r.clientSends(wire.KindData, "next")).delivers("next")
}

// A session outlives any number of connections, each time by the newest ticket, and is renewed on
// the last of them. "WELCOME has the session id, which may be another one, an epoch after the
// ticket's, a new secret and a new ticket." PROTOCOL.md 8.3
func TestResumeAgainAndAgain(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	s, up, down := d.server.Session(), d.client.sequence, d.server.sequence
	tickets := map[string]bool{string(d.client.ticket): true}
	for i := range 5 {
		d = d.resumesHere()
		d.exchangesData()
		if up, down = up+2, down+2; d.client.sequence != up || d.server.sequence != down {
			t.Errorf("resumption %d: numbers %d and %d, want %d and %d", i+1, d.client.sequence, d.server.sequence, up, down)
		}
		if n := uint32(i + 2); d.epochs() != [2]uint32{n, n} || d.server.Session() != s || d.gate.Len() != 1 {
			t.Errorf("resumption %d: epochs %d, %d sessions", i+1, d.epochs(), d.gate.Len())
		}
		tickets[string(d.client.ticket)] = true
	}
	if len(tickets) != 6 {
		t.Errorf("%d different tickets, want 6", len(tickets))
	}
	for i := range 3 {
		d.waits(tokenLife / renewalsOfLife)
		d.renewsWith(fmt.Sprint("token ", i))
		d.exchangesData()
		if n := uint32(i + 7); d.epochs() != [2]uint32{n, n} || !s.Expires().Equal(d.now.Add(tokenLife)) {
			t.Errorf("renewal %d: epochs %d, until %v", i+1, d.epochs(), s.Expires())
		}
	}
	d.resumesHere().exchangesData()
}

// "What the session owes goes with it: rate and behaviour, if they are known" PROTOCOL.md 8.3
func TestResumeOwesRate(t *testing.T) {
	d := playWithTicket(t, session.Config{Behaviour: policy.BehaviourConfig{Datagrams: 1, DatagramBurst: 5}}, session.ClientConfig{})
	for range 3 {
		d.exchangesData()
	}
	r := d.resumesHere() // its PING is the fifth datagram
	r.toServer(r.clientSends(wire.KindData, "too many")).drops(audit.DropRate)

	d = playWithTicket(t, session.Config{Behaviour: policy.BehaviourConfig{Flag: 3, Limit: 4, Revoke: 5}}, session.ClientConfig{})
	for range 3 {
		d.exchangesData()
	}
	r = d.resumesHere()
	r.toServer(r.clientSends(wire.KindData, "too many")).drops(audit.DropRate)
	r.toServer(r.clientSends(wire.KindData, "out")).ends(audit.DropRate, wire.ReasonRate)
}

// A session is counted on all its connections.
func TestResumeStats(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	for range 3 {
		d.clientSends(wire.KindData, "lost")
	}
	before := d.server.Stats()
	r := d.reconnects(d.gate, home)
	welcome := r.showsTicket()
	d.clientSends(wire.KindData, "lost as well")
	d.exchangesData() // counts where the session lives
	r.takesWelcome(welcome)
	r.clientSends(wire.KindData, "lost on the new one")
	r.sendsFirstDatagram()
	r.exchangesData()
	if s := r.server.Stats(); s.Accepted != before.Accepted+3 || s.Lost != 5 || s.Sent != before.Sent+3 {
		t.Errorf("%+v after %+v", s, before)
	}
	if s := r.resumesHere().server.Stats(); s.Accepted != before.Accepted+4 || s.Lost != 5 {
		t.Errorf("%+v after %+v", s, before)
	}
}
