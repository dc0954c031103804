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

// fleetKey is a key of a test's: id and secret follow from n.
func fleetKey(t testing.TB, n byte) fleetkey.Key {
	t.Helper()
	k, err := fleetkey.New(uint32(n), counting(n, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// fleet is the ring of a fleet's servers. Each call makes the same keys.
func fleet(t testing.TB) *fleetkey.Ring {
	t.Helper()
	r, err := fleetkey.NewRing(fleetKey(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// stay is a dialogue whose player has a ticket, and has shown that the WELCOME has come.
func stay(t testing.TB, gc session.Config, cc session.ClientConfig) *dialogue {
	t.Helper()
	return stayOn(t, gc, cc, channel)
}

func stayOn(t testing.TB, gc session.Config, cc session.ClientConfig, ch Channel) *dialogue {
	t.Helper()
	if gc.FleetKeys == nil {
		gc.FleetKeys = fleet(t)
	}
	d := meet(t, gc, cc).connect(cc, "identity", ch)
	named(d.claims["identity"])
	d.arrive()
	d.join()
	d.talks()
	return d
}

// arrive gives a connection the hint by which it is found.
func (d *dialogue) arrive() {
	hint := uint32(len(d.homes) + 1)
	d.server.SetHint(hint)
	d.homes[hint] = d.server
}

// sister is another server of the fleet.
func (d *dialogue) sister(gc session.Config) *Gate {
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

// again is the player's next connection, from an address to a server of the fleet, on which the ticket is shown. No
// word has been said.
func (d *dialogue) again(g *Gate, from netip.Addr) *dialogue {
	d.Helper()
	ch := d.server.channel
	ch.Exporter = [32]byte(counting(byte(len(d.homes)), 32))
	return d.againOn(g, from, ch)
}

func (d *dialogue) againOn(g *Gate, from netip.Addr, ch Channel) *dialogue {
	d.Helper()
	next := *d
	next.gate, next.server, next.former = g, g.NewConn(d.now, ch, from), nil
	next.arrive()
	var err error
	if next.client, err = d.client.Resume(d.now, ch); err != nil {
		d.Fatal(err)
	}
	return &next
}

// states changes what the client's HELLO says, and proves it.
func (d *dialogue) states(change func(*wire.Hello)) {
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

// seals changes what the client's ticket says, as if one of the fleet had said so.
func (d *dialogue) seals(change func(*resume.Ticket)) {
	d.Helper()
	d.states(func(m *wire.Hello) {
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

// asks carries the HELLO to the server, which asks where the session lives.
func (d *dialogue) asks() heard {
	d.Helper()
	h := heard{TB: d.TB}
	for _, part := range d.ticks(wire.KindHello) {
		h = d.toServer(part)
	}
	return h
}

// finds is what the server's caller does about that.
func (d *dialogue) finds(h heard) heard {
	d.Helper()
	former := d.homes[h.is(EventResume, audit.DropNone, 0).Hint]
	r, ev := d.server.Resume(d.now, former, sentBy(former))
	if d.server.elsewhere() {
		d.former = former
	}
	return d.heard(r, ev, d.server.Append)
}

// sentBy is a connection's last number.
func sentBy(c *Conn) uint64 {
	if c == nil {
		return 0
	}
	return c.Sequence()
}

// shows is the server's answer to the ticket.
func (d *dialogue) shows() heard {
	d.Helper()
	h := d.asks()
	if h.Event.Kind == EventResume {
		return d.finds(h)
	}
	return h
}

// welcomed has the client understand a WELCOME that goes on.
func (d *dialogue) welcomed(h heard) wire.Welcome {
	d.Helper()
	m, err := wire.ParseWelcome(h.body)
	if h.kind != wire.KindWelcome || err != nil {
		d.Fatalf("%v, drop %v, reason %v, %v", h.kind, h.Drop, h.Reason, err)
	}
	if ev := d.toClient(h.envelope).is(EventResumed, audit.DropNone, 0); ev.Hint != m.ConnectionID || m.ConnectionID != d.server.hint {
		d.Errorf("hints %d, %d, %d", ev.Hint, m.ConnectionID, d.server.hint)
	}
	return m
}

// settles is the first datagram on a new connection: the PING that a client sends if it has nothing else.
func (d *dialogue) settles() {
	d.Helper()
	d.toClient(d.toServer(d.ticks(wire.KindPing)[0]).says(wire.KindPong).envelope).is(EventPong, audit.DropNone, 0)
}

// moves is the session on another connection to the same server, from the first datagram on.
func (d *dialogue) moves() *dialogue {
	d.Helper()
	next := d.again(d.gate, home)
	next.welcomed(next.shows().says(wire.KindWelcome))
	next.settles()
	return next
}

// travels is the session on another server of the fleet.
func (d *dialogue) travels(g *Gate) *dialogue {
	d.Helper()
	next := d.again(g, home)
	next.welcomed(next.shows().resumes())
	next.settles()
	return next
}

// talks has a payload come through either way.
func (d *dialogue) talks() {
	d.Helper()
	d.toServer(d.say(wire.KindData, "up")).gives("up")
	d.toClient(d.tell(wire.KindData, "down")).gives("down")
}

// dumb is a server's end that says nothing, and takes nothing for its session.
func (d *dialogue) dumb() {
	d.Helper()
	if _, err := d.server.Append(nil, wire.KindData, nil); err != ErrNotLive {
		d.Errorf("Append: %v", err)
	}
	d.tickServer().nothing()
	d.toServer(d.say(wire.KindData, "late")).drops(audit.DropState)
}
