package machine

import (
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "The successor's base is one above the highest sequence in the session's window: it acknowledges
// nothing below." docs/fleet.md 8.4
func TestRestartWithLanes(t *testing.T) {
	d := playLanes(t)
	was := d.server.Lanes()
	last := d.clientSends(wire.KindFrames, wholeFrame)
	d.toServer(last)
	g, snap := d.savesAndRestores(d)
	withLanes(t, g, lanes.Ordered, lanes.Latest)
	r, drop := d.restores(g, snap.Sessions[0])
	if drop != audit.DropNone {
		t.Fatalf("not restored: %v", drop)
	}
	l := r.server.Lanes()
	if !l.Kept || l.Generation != was.Generation || l.PeerDelay != was.PeerDelay || l.Table == was.Table {
		t.Errorf("%+v, want %+v", l, was)
	}
	if l.Base != d.client.Sequence()+1 || l.Base != d.server.window.Highest()+1 {
		t.Errorf("base %d, the client has sent %d", l.Base, d.client.Sequence())
	}
	r.toServer(last).drops(audit.DropReplay)
	if h := r.toServer(r.clientSends(wire.KindFrames, wholeFrame)); h.Event.Kind != EventFrames || r.server.Arrived() != l.Base {
		t.Errorf("%+v", h.Event)
	}
	next := r.reconnects(r.gate, home)
	if w := next.takesWelcome(next.showsTicket()); w.Lanes.Generation != was.Generation || !next.client.Lanes().Kept {
		t.Errorf("WELCOME names %x", w.Lanes.Generation)
	}
}

// "A successor whose WELCOME would say anything else of lanes than the former process has said, but
// for the generation, MUST leave the session out" docs/fleet.md 8.4
//
// "It refuses the session as `session lanes` (section 11.2), which ends nothing: the client comes back
// by ticket and learns of the new lanes." docs/fleet.md 8.4
func TestRestartWithOtherLanes(t *testing.T) {
	for name, lay := range map[string]func(g *Gate){
		"none":         func(*Gate) {},
		"fewer":        func(g *Gate) { withLanes(t, g, lanes.Ordered) },
		"another mode": func(g *Gate) { withLanes(t, g, lanes.Reliable, lanes.Latest) },
		"another rate": func(g *Gate) { g.config.Behaviour.Bytes /= 2; withLanes(t, g, lanes.Ordered, lanes.Latest) },
	} {
		d := playLanes(t)
		g, snap := d.savesAndRestores(d)
		lay(g)
		var c Conn
		if cause := c.Restore(g, d.now, snap.Sessions[0]); cause != CauseSessionLanes || g.Len() != 0 {
			t.Errorf("%s: %v", name, cause)
		}
		next := d.reconnects(g, home)
		w := next.takesWelcome(next.showsTicket().resumes())
		if w.Lanes.Present() != (name != "none") || w.Lanes.Generation == d.server.Lanes().Generation {
			t.Errorf("%s: WELCOME says %+v", name, w.Lanes)
		}
		next.sendsFirstDatagram()
		next.exchangesData()
	}
}

// "A session that had no lanes goes on without, whatever the successor offers, until it is resumed."
// docs/fleet.md 8.4
func TestRestartWithoutLanes(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{Lanes: true})
	g, snap := d.savesAndRestores(d)
	withLanes(t, g, lanes.Ordered)
	r, drop := d.restores(g, snap.Sessions[0])
	if drop != audit.DropNone || r.server.Lanes() != nil {
		t.Fatalf("%v, %+v", drop, r.server.Lanes())
	}
	r.exchangesData()
	r.toServer(r.clientSends(wire.KindFrames, wholeFrame)).drops(audit.DropState)
	next := r.reconnects(r.gate, home)
	if w := next.takesWelcome(next.showsTicket()); !w.Lanes.Present() || next.client.Lanes().Kept {
		t.Errorf("%+v", w.Lanes)
	}
}
