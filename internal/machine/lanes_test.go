package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// withLanes has the gate offer one lane of each of these modes.
func withLanes(t testing.TB, g *Gate, modes ...lanes.Mode) *Gate {
	t.Helper()
	var list []lanes.Lane
	for _, m := range modes {
		list = append(list, lanes.Lane{Mode: m})
	}
	table, err := lanes.NewTable(list)
	if err != nil {
		t.Fatal(err)
	}
	g.UseLanes(table, func() time.Time { return begin })
	return g
}

// playLanes is a client with a ticket and lanes.
func playLanes(t testing.TB) *dialogue {
	t.Helper()
	d := connectOnly(t, session.Config{FleetKeys: fleet(t)}, session.ClientConfig{})
	withLanes(t, d.gate, lanes.Ordered, lanes.Latest)
	d = d.connect(session.ClientConfig{Lanes: true}, "identity", channel)
	addIDs(d.claims["identity"])
	d.getsConnectionID()
	d.join()
	d.exchangesData()
	return d
}

const wholeFrame = "\x20\x01\x02hi" // of lane 0

// "An end MUST NOT send FRAMES unless both ends have feature bit 1." PROTOCOL.md 3.11
//
// "An end MUST drop FRAMES as `state` if the session has no lanes. A server parses FRAMES before step
// 4.10, so what is malformed is never charged to the player's rate." PROTOCOL.md 16.3
func TestFramesNeedLanes(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.toServer(d.clientSends(wire.KindFrames, wholeFrame)).drops(audit.DropState)
	d.toClient(d.serverSends(wire.KindFrames, wholeFrame)).drops(audit.DropState)
	d = play(t, session.Config{}, session.ClientConfig{Lanes: true}) // a server without lanes
	d.toServer(d.clientSends(wire.KindFrames, wholeFrame)).drops(audit.DropState)

	d = playLanes(t)
	for _, side := range []func(string) heard{
		func(b string) heard { return d.toServer(d.clientSends(wire.KindFrames, b)) },
		func(b string) heard { return d.toClient(d.serverSends(wire.KindFrames, b)) },
	} {
		if h := side(wholeFrame); h.Event.Kind != EventFrames || string(h.Payload) != wholeFrame {
			t.Errorf("%+v", h.Event)
		}
		for _, b := range []string{"", wholeFrame + "\x20", "\x22\x01\x02hi", "\x21\x01\x02hi"} {
			side(b).drops(audit.DropMalformed)
		}
	}
	usual := d.server.behaviour
	d.toServer(d.clientSends(wire.KindFrames, "")).drops(audit.DropMalformed)
	if d.server.behaviour != usual {
		t.Error("a malformed body is charged")
	}
}

// "A client that resumes MUST state in HELLO the generation whose lanes it holds." PROTOCOL.md 16.11
//
// "Otherwise it MUST draw a new one." PROTOCOL.md 16.11
//
// "The client's lanes change with WELCOME, and the server's with the first datagram that is accepted on
// the new connection." PROTOCOL.md 16.11
//
// "In each direction the *base* is the next number that WELCOME names." PROTOCOL.md 16.11
func TestGenerationOfLanes(t *testing.T) {
	d := playLanes(t)
	first := d.server.Lanes()
	if first == nil || first.Kept || first.Generation == 0 || d.client.Lanes().Generation != first.Generation {
		t.Fatalf("%+v", first)
	}
	resume := func(g *Gate, change func(*wire.Hello)) (*dialogue, wire.Welcome) {
		t.Helper()
		next := d.reconnects(g, home)
		if m, err := wire.ParseHello(next.client.hello); err != nil || m.Lanes.Generation != d.client.Lanes().Generation {
			t.Errorf("HELLO states %+v, %v", m.Lanes, err)
		}
		if change != nil {
			next.statesInHello(change)
		}
		h := next.showsTicket()
		if g != d.gate {
			h = h.resumes()
		}
		return next, next.takesWelcome(h)
	}
	next, w := resume(d.gate, nil)
	for end, l := range map[string]*Lanes{"server": next.server.Lanes(), "client": next.client.Lanes()} {
		base := w.ClientNext
		if end == "client" {
			base = w.ServerNext
		}
		if !l.Kept || l.Generation != first.Generation || l.Base != base {
			t.Errorf("%s: %+v, base %d", end, l, base)
		}
	}
	if w.Lanes.Generation != first.Generation {
		t.Errorf("WELCOME names %x", w.Lanes.Generation)
	}
	next.sendsFirstDatagram()
	d = next

	next, w = resume(d.gate, func(m *wire.Hello) { m.Lanes.Generation++ })
	if d.server.Lanes().Generation != first.Generation || next.client.Lanes().Generation == first.Generation {
		t.Error("before the first datagram the session has other lanes than before, or the client has the same")
	}
	if l := next.server.Lanes(); l.Kept || l.Generation == first.Generation || w.Lanes.Generation != l.Generation || next.client.Lanes().Kept {
		t.Errorf("of another generation: %+v", l)
	}
	other := withLanes(t, d.anotherServer(session.Config{}), lanes.Ordered, lanes.Latest)
	next, w = resume(other, nil)
	if l := next.server.Lanes(); l.Kept || l.Generation == first.Generation || w.Lanes.Generation != l.Generation || next.client.Lanes().Kept {
		t.Errorf("at another server: %+v", l)
	}
}

// "A resumption without feature bit 1 ends the lanes of the session." PROTOCOL.md 16.11
func TestResumeWithoutLanes(t *testing.T) {
	d := playLanes(t)
	next := d.reconnects(d.gate, home)
	next.statesInHello(func(m *wire.Hello) { m.Features, m.Lanes = wire.FeatureReports, wire.HelloLanes{} })
	if w := next.takesWelcome(next.showsTicket()); w.Lanes.Present() || next.server.Lanes() != nil || next.client.Lanes() != nil {
		t.Errorf("%+v", w.Lanes)
	}
	next.sendsFirstDatagram()
	next.toServer(next.clientSends(wire.KindFrames, wholeFrame)).drops(audit.DropState)
}

// "a client that sends BEARER does not offer the bit" PROTOCOL.md 3.11
func TestBearerHasNoLanes(t *testing.T) {
	d := connectOnly(t, session.Config{AllowBearer: true}, session.ClientConfig{})
	withLanes(t, d.gate, lanes.Ordered)
	d = d.connect(session.ClientConfig{Lanes: true, Bearer: true}, "identity", channel)
	if m, err := wire.ParseHello(d.client.hello); err != nil || m.Features&wire.FeatureLanes != 0 || m.Lanes.Present() {
		t.Errorf("%+v, %v", m.Lanes, err)
	}
}
