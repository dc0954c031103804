package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// nextProcess has a server restart with a snapshot, and returns the process that has taken over.
func (f *servers) nextProcess(d *dialogue, n int) *Gate {
	f.Helper()
	old := *d
	old.gate = f.gates[n]
	f.gates[n], _ = old.savesAndRestores()
	return f.gates[n]
}

// What other servers have told a server is refused by its next process, too, without being told again:
// tokens, tickets that were used, tickets of a session that is confined, and of one that was put out.
func TestToldOutlivesProcess(t *testing.T) {
	t.Run("used", func(t *testing.T) {
		f, d := newServers(t, 3, session.Config{})
		d.opens()
		d.resumesOn(f.gates[1])
		f.tells(d)
		next := f.nextProcess(d, 2)
		d.at(next, "identity").asksToJoin().refuses(audit.DropUsed, wire.ReasonUsed)
		if h := d.reconnects(next, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket); h.Cause != CauseTicketUsed {
			t.Errorf("cause %v", h.Cause)
		}
	})
	t.Run("put out", func(t *testing.T) {
		for reason, refusal := range map[wire.Reason]wire.Reason{wire.ReasonKicked: wire.ReasonTicket, wire.ReasonRevoked: wire.ReasonRevoked} {
			f, d := newServers(t, 2, session.Config{})
			d.opens()
			f.tells(d)
			if d.server.Dismiss(wire.ReasonKicked, ""); reason == wire.ReasonRevoked {
				f.gates[1].Use(d.now, session.Used{Kind: session.UsedSession, ID: d.server.Session().Name(), Reason: reason, Until: d.now.Add(time.Hour)})
			}
			f.tells(d)
			d.reconnects(f.nextProcess(d, 1), home).showsTicket().is(EventRefused, reasonDrop(refusal), wire.KindClose).because(refusal)
		}
	})
	t.Run("confined", func(t *testing.T) {
		f, d := newServers(t, 2, session.Config{})
		d.opens()
		f.tells(d)
		f.gates[1].Use(d.now, session.Used{Kind: session.UsedNetwork, ID: d.server.Session().Name(), Epoch: 1, Until: d.now.Add(time.Hour)})
		next := f.nextProcess(d, 1)
		d.reconnects(next, far).showsTicket().refuses(audit.DropFingerprint, wire.ReasonFingerprint)
		owner := d.reconnects(next, home)
		owner.takesWelcome(owner.showsTicket().resumes())
	})
}

// A server that was killed without a snapshot knows nothing of what it was told, and refuses it again
// once the feed has told it everything, whatever the order.
func TestKilledServerIsToldAgain(t *testing.T) {
	f, d := newServers(t, 3, session.Config{})
	d.opens()
	there := d.resumesOn(f.gates[1])
	f.tells(d)
	killed := d.anotherServer(d.gate.config)
	f.gates[2] = killed
	f.repeats(d)
	d.at(killed, "identity").asksToJoin().refuses(audit.DropUsed, wire.ReasonUsed)
	d.reconnects(killed, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
	there.resumesOn(killed).exchangesData()
}

// "Until a session has been restored, or is left out, the successor MUST refuse its tickets as busy (CLOSE 12): else
// the client would resume without the lanes that the snapshot has." docs/fleet.md 8.4
func TestTicketBeforeRestored(t *testing.T) {
	for _, leftOut := range []bool{false, true} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		g, snap := d.savesAndRestores(d)
		g.Await(snap.Sessions)
		d.reconnects(g, home).showsTicket().refuses(audit.DropBusy, wire.ReasonBusy)
		if leftOut {
			g.Arrived(snap.Sessions[0].Name)
			d.resumesOn(g).exchangesData()
			if _, drop := d.restores(g, snap.Sessions[0]); drop != audit.DropSession || g.Len() != 1 {
				t.Errorf("restored beside the one that was resumed: %v, %d sessions", drop, g.Len())
			}
			continue
		}
		r, drop := d.restores(g, snap.Sessions[0])
		if drop != audit.DropNone {
			t.Fatalf("not restored: %v", drop)
		}
		g.Arrived(snap.Sessions[0].Name)
		r.exchangesData()
		r.resumesHere().exchangesData()
	}
}

// A session that lives under another id, since it was resumed elsewhere first, is not restored beside itself.
func TestRestoredOnceByName(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	g, snap := d.savesAndRestores(d)
	if _, drop := d.restores(g, snap.Sessions[0]); drop != audit.DropNone {
		t.Fatalf("not restored: %v", drop)
	}
	snap.Sessions[0].ID++
	if _, drop := d.restores(g, snap.Sessions[0]); drop != audit.DropSession || g.Len() != 1 {
		t.Errorf("restored twice: %v, %d sessions", drop, g.Len())
	}
}

// A snapshot may be older than what became of a session in it: its player has gone to another server
// while the process started. What was restored ends silently once the server is told, the player stays
// where it is, and comes back.
func TestRestoredCopyIsElsewhere(t *testing.T) {
	f, d := newServers(t, 2, session.Config{})
	d.opens()
	f.tells(d)
	g, snap := d.savesAndRestores(d)
	there := d.resumesOn(f.gates[1])
	f.gates[0] = g
	stale, drop := d.restores(g, snap.Sessions[0])
	if drop != audit.DropNone || g.Len() != 1 {
		t.Fatalf("not restored: %v", drop)
	}
	f.tells(d)
	if h := stale.tickServer(); h.Event.Kind != EventClosed || h.Reason != wire.ReasonReplaced || h.Cause != CauseElsewhere || h.kind != 0 {
		t.Errorf("%+v", h.Event)
	}
	if g.Len() != 0 {
		t.Errorf("%d sessions are left", g.Len())
	}
	there.exchangesData()
	there.resumesOn(g).exchangesData()
}
