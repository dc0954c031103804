package machine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// wanderer is a player who goes from one server of a fleet to the next as networks and servers fail,
// while what the servers tell each other arrives late, twice, in any order, or not for a while.
type wanderer struct {
	*testing.T
	rng    *rand.Rand
	fleet  *servers
	here   *dialogue   // where the session lives
	left   []*dialogue // what it has left behind
	late   []told
	over   map[*Gate]bool // their match has dismissed the player, for a reason that says nothing about other servers
	tokens int
}

// told is what one server is told at a time.
type told struct {
	at   time.Time
	gate *Gate
	used session.Used
}

// "No honest player is put out for what the network or a server did, and whoever was put out does not
// come back": whatever happens, and however late servers are told. A player who was put out is out
// everywhere once every server has been told.
func TestWanderer(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := &wanderer{T: t, rng: rand.New(rand.NewPCG(seed, 16)), over: map[*Gate]bool{}}
			w.fleet, w.here = newServers(t, 3, session.Config{MaxPerSubject: -1})
			w.here.opens()
			for range 60 {
				w.step()
			}
			w.putOut()
		})
	}
}

// step does one thing, and delivers what is due.
func (w *wanderer) step() {
	w.Helper()
	d := w.here
	w.passes(time.Duration(w.rng.IntN(400)) * time.Millisecond)
	switch w.rng.IntN(8) {
	case 0, 1:
		w.moves(w.gate())
	case 2: // shows the ticket, and WELCOME is lost
		o := d.reconnects(w.gate(), home)
		o.showsTicket()
		if o.former == nil {
			w.left = append(w.left, o)
		}
	case 3:
		w.renews()
	case 4:
		w.passes(4 * time.Second)
	case 5: // what is left behind ends
		if len(w.left) > 0 {
			w.ends(w.left[w.rng.IntN(len(w.left))])
		}
	}
	w.plays()
}

// gate returns a server whose match takes the player.
func (w *wanderer) gate() *Gate {
	for {
		if g := w.fleet.gates[w.rng.IntN(len(w.fleet.gates))]; !w.over[g] {
			return g
		}
	}
}

// plays checks that the session goes on.
func (w *wanderer) plays() {
	w.Helper()
	d := w.here
	d.toServer(d.clientSends(wire.KindData, "up")).delivers("up")
	d.toClient(d.serverSends(wire.KindData, "down")).delivers("down")
}

// passes lets time pass, in which every connection ticks and servers are told.
func (w *wanderer) passes(t time.Duration) {
	w.Helper()
	d := w.here
	d.waits(t)
	w.says()
	w.late = slices.DeleteFunc(w.late, func(l told) bool {
		if l.at.After(d.now) {
			return false
		}
		l.gate.Use(d.now, l.used)
		return true
	})
	for _, l := range w.left {
		l.now = d.now
		l.server.Tick(d.now)
	}
	if _, ev := d.server.Tick(d.now); ev.Kind == EventClosed {
		w.Fatalf("the session has ended: %v, %v", ev.Reason, ev.Cause)
	}
}

// says notes what servers have to be told: each at a time of its own, some twice.
func (w *wanderer) says() {
	for _, u := range w.fleet.takes() {
		for _, g := range w.fleet.gates {
			for range 1 + w.rng.IntN(2) {
				w.late = append(w.late, told{w.here.now.Add(time.Duration(w.rng.IntN(6000)) * time.Millisecond), g, u})
			}
		}
	}
}

// moves resumes the session at a server, once that takes it: it may ask to try again.
func (w *wanderer) moves(g *Gate) {
	w.Helper()
	for range 4 {
		o := w.here.reconnects(g, home)
		h := o.showsTicket()
		if h.Event.Kind == EventRefused && h.RetryAfter > 0 {
			w.passes(1100 * time.Millisecond)
			continue
		}
		if h.kind != wire.KindWelcome {
			w.Fatalf("the ticket: %v, %v", h.Event.Kind, h.Cause)
		}
		if w.rng.IntN(3) == 0 {
			w.says()
			for _, l := range w.late { // all that is under way comes now
				l.gate.Use(o.now, l.used)
			}
			w.late = nil
		}
		o.takesWelcome(h)
		o.sendsFirstDatagram()
		w.left = append(w.left, w.here)
		w.here = o
		return
	}
	w.Fatal("the server does not take the session")
}

// renews takes a fresh token; RENEWED may be lost.
func (w *wanderer) renews() {
	w.Helper()
	d := w.here
	w.tokens++
	id := fmt.Sprint("token ", w.tokens)
	d.mints(id)
	h := d.present(d.renew(id)...)
	d.client.renew = nil
	if h.kind == wire.KindRenewed && w.rng.IntN(3) > 0 {
		d.toClient(h.envelope)
		w.plays()
	}
}

// ends ends what is left of the session somewhere, in a way that says nothing about the player.
func (w *wanderer) ends(d *dialogue) {
	if d.server.state == closed {
		return
	}
	d.now = w.here.now
	switch w.rng.IntN(8) {
	case 0, 1:
		d.server.Close(wire.ReasonShutdown)
	case 2, 3:
		if d.server.resuming != nil { // else the session waits for its player
			d.server.Disconnected()
		}
	case 4, 5:
		d.server.Tick(d.now.Add(session.DefaultIdle))
	default:
		if d.gate == w.here.gate || d.server.Session() == nil {
			return
		}
		w.over[d.gate] = true
		d.server.Dismiss([]wire.Reason{wire.ReasonIdle, wire.ReasonLeft}[w.rng.IntN(2)], "")
	}
}

// putOut puts the player out where the session is, or where it was. It does not come back.
func (w *wanderer) putOut() {
	w.Helper()
	by := w.here
	if len(w.left) > 0 && w.rng.IntN(2) == 0 {
		by = w.left[w.rng.IntN(len(w.left))]
	}
	if by.server.Session() == nil { // whose WELCOME was lost, and displaced
		by = w.here
	}
	by.server.Dismiss(wire.ReasonKicked, "")
	w.fleet.repeats(w.here)
	d := w.here
	if h := d.toServer(d.clientSends(wire.KindData, "x")); h.Event.Kind == EventData {
		w.Errorf("a datagram is delivered after the player was put out")
	}
	for _, g := range w.fleet.gates {
		for _, from := range append(w.left, w.here) {
			if !from.client.Resumable() {
				continue
			}
			from.now = d.now
			if h := from.reconnects(g, home).showsTicket(); h.kind == wire.KindWelcome {
				w.Fatal("a ticket is taken after the player was put out")
			}
		}
	}
}
