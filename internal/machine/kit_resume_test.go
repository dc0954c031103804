package machine

import (
	"net/netip"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// fleetKey returns a key whose id and secret follow from n.
func fleetKey(t testing.TB, n byte) fleetkey.Key {
	t.Helper()
	k, err := fleetkey.New(uint32(n), counting(n, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// fleet returns the fleet's ring. Each call makes the same keys.
func fleet(t testing.TB) *fleetkey.Ring {
	t.Helper()
	r, err := fleetkey.NewRing(fleetKey(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// playWithTicket returns a dialogue whose client has a ticket and has confirmed WELCOME.
func playWithTicket(t testing.TB, gc session.Config, cc session.ClientConfig) *dialogue {
	t.Helper()
	return playWithTicketOn(t, gc, cc, channel)
}

func playWithTicketOn(t testing.TB, gc session.Config, cc session.ClientConfig, ch Channel) *dialogue {
	t.Helper()
	if gc.FleetKeys == nil {
		gc.FleetKeys = fleet(t)
	}
	d := connectOnly(t, gc, cc).connect(cc, "identity", ch)
	addIDs(d.claims["identity"])
	d.getsConnectionID()
	d.join()
	d.exchangesData()
	return d
}

// getsConnectionID gives the connection the id by which it is found.
func (d *dialogue) getsConnectionID() {
	id := uint32(len(d.homes) + 1)
	d.server.SetConnectionID(id)
	d.homes[id] = d.server
}

// anotherServer returns another server of the fleet.
func (d *dialogue) anotherServer(gc session.Config) *Gate {
	d.Helper()
	if gc.FleetKeys == nil {
		gc.FleetKeys = d.gate.config.FleetKeys
	}
	g, err := NewGate(gc)
	if err != nil {
		d.Fatal(err)
	}
	return g
}

// reconnects returns the client's next connection, from an address to a server of the fleet, on
// which it will present the ticket. Nothing has been sent yet.
func (d *dialogue) reconnects(g *Gate, from netip.Addr) *dialogue {
	d.Helper()
	ch := d.server.channel
	ch.Exporter = [32]byte(counting(byte(len(d.homes)), 32))
	return d.reconnectsOn(g, from, ch)
}

func (d *dialogue) reconnectsOn(g *Gate, from netip.Addr, ch Channel) *dialogue {
	d.Helper()
	next := *d
	next.gate, next.server, next.former = g, g.NewConn(d.now, ch, from), nil
	next.getsConnectionID()
	var err error
	if next.client, err = d.client.Resume(d.now, ch, nil); err != nil {
		d.Fatal(err)
	}
	return &next
}

// statesInHello changes what the client's HELLO states, and proves it.
func (d *dialogue) statesInHello(change func(*wire.Hello)) {
	d.Helper()
	m, err := wire.ParseHello(d.client.hello)
	if err != nil {
		d.Fatal(err)
	}
	change(&m)
	d.client.hello = m.AppendTo(nil)
	if len(m.Proof) > 0 {
		resume.Prove(&d.client.former.resumption, m.Binding, &d.client.channel.Exporter, d.client.hello)
	}
}

// sealsInTicket changes the content of the client's ticket, as if a server of the fleet had sealed
// it.
func (d *dialogue) sealsInTicket(change func(*resume.Ticket)) {
	d.Helper()
	d.statesInHello(func(m *wire.Hello) {
		t, err := resume.OpenTicket(d.gate.config.FleetKeys, begin, m.Ticket)
		if err != nil {
			d.Fatal(err)
		}
		change(&t)
		if m.Ticket, err = t.Seal(nil, d.gate.config.FleetKeys, d.gate.config.Random); err != nil {
			d.Fatal(err)
		}
	})
}

// sendsTicket delivers the HELLO to the server, which asks where the session lives.
func (d *dialogue) sendsTicket() heard {
	d.Helper()
	h := heard{TB: d.TB}
	for _, part := range d.clientTick(wire.KindHello) {
		h = d.toServer(part)
	}
	return h
}

// findsFormer answers the server's EventResume with the former connection.
func (d *dialogue) findsFormer(h heard) heard {
	d.Helper()
	former := d.homes[h.is(EventResume, audit.DropNone, 0).ConnectionID]
	r, ev := d.server.Resume(d.now, former, sentBy(former))
	if d.server.livesOnFormer() {
		d.former = former
	}
	return d.heard(r, ev, d.server.Append)
}

// sentBy returns the last sequence number that c has sent.
func sentBy(c *Conn) uint64 {
	if c == nil {
		return 0
	}
	return c.Sequence()
}

// showsTicket returns the server's answer to the ticket.
func (d *dialogue) showsTicket() heard {
	d.Helper()
	h := d.sendsTicket()
	if h.Event.Kind == EventResume {
		return d.findsFormer(h)
	}
	return h
}

// takesWelcome delivers a WELCOME that resumes a session to the client.
func (d *dialogue) takesWelcome(h heard) wire.Welcome {
	d.Helper()
	m, err := wire.ParseWelcome(h.body)
	if h.kind != wire.KindWelcome || err != nil {
		d.Fatalf("%v, drop %v, reason %v, %v", h.kind, h.Drop, h.Reason, err)
	}
	if ev := d.toClient(h.envelope).is(EventResumed, audit.DropNone, 0); ev.ConnectionID != m.ConnectionID || m.ConnectionID != d.server.connectionID {
		d.Errorf("connection ids %d, %d, %d", ev.ConnectionID, m.ConnectionID, d.server.connectionID)
	}
	return m
}

// sendsFirstDatagram delivers the first datagram on a new connection: the PING that a client sends
// if it has no payload.
func (d *dialogue) sendsFirstDatagram() {
	d.Helper()
	d.toClient(d.toServer(d.clientTick(wire.KindPing)[0]).says(wire.KindPong).envelope).is(EventPong, audit.DropNone, 0)
}

// resumesHere resumes the session on another connection to the same server, with its first
// datagram.
func (d *dialogue) resumesHere() *dialogue {
	d.Helper()
	next := d.reconnects(d.gate, home)
	next.takesWelcome(next.showsTicket().says(wire.KindWelcome))
	next.sendsFirstDatagram()
	return next
}

// resumesOn resumes the session on another server of the fleet.
func (d *dialogue) resumesOn(g *Gate) *dialogue {
	d.Helper()
	next := d.reconnects(g, home)
	next.takesWelcome(next.showsTicket().resumes())
	next.sendsFirstDatagram()
	return next
}

// exchangesData delivers a payload in each direction.
func (d *dialogue) exchangesData() {
	d.Helper()
	d.toServer(d.clientSends(wire.KindData, "up")).delivers("up")
	d.toClient(d.serverSends(wire.KindData, "down")).delivers("down")
}

// staysSilent checks that the server sends nothing and accepts no datagram of the session.
func (d *dialogue) staysSilent() {
	d.Helper()
	if _, err := d.server.Append(nil, wire.KindData, nil); err != ErrNotLive {
		d.Errorf("Append: %v", err)
	}
	d.tickServer().nothing()
	d.toServer(d.clientSends(wire.KindData, "late")).drops(audit.DropState)
}
