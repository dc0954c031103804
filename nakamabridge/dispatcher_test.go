package nakamabridge

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/transport"
)

// The table of the package comment: anna has a socket and UDP, ben UDP, cleo a socket.
func TestBroadcast(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("h", transport.MaxPayload)
	all, none := []string(nil), []string{}
	for _, c := range []struct {
		to        []string
		op        int64
		data      string
		reliable  bool
		udp, sock string // who gets it
		missed    uint64 // players without a socket miss it
	}{
		{all, 1, "x", true, "ben", "anna cleo", 0},
		{all, 1, "x", false, "anna ben", "cleo", 0},
		{all, 1, huge, false, "", "anna cleo", 1},
		{all, 1, huge, true, "", "anna cleo", 1},
		{all, -1, "x", false, "", "anna cleo", 1},
		{none, 1, "x", false, "", "", 0},
		{none, 1, "x", true, "", "", 0},
		{[]string{"anna"}, 1, "x", false, "anna", "", 0},
		{[]string{"anna"}, 1, "x", true, "", "anna", 0},
		{[]string{"anna"}, 1, huge, false, "", "anna", 0},
		{[]string{"ben"}, 1, "x", true, "ben", "", 0},
		{[]string{"ben"}, 1, "x", false, "ben", "", 0},
		{[]string{"cleo"}, 1, "x", false, "", "cleo", 0},
		{[]string{"anna", "ben", "cleo"}, 300, "", false, "anna ben", "cleo", 0},
		{[]string{"stranger"}, 1, "x", false, "", "", 0},
	} {
		for _, deferred := range []bool{false, true} {
			name := fmt.Sprintf("%q %v op %d %.3s reliable %v deferred %v", c.to, c.to == nil, c.op, c.data, c.reliable, deferred)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				virtually(t, func(w *world) {
					h := newHall(w)
					var err error
					w.stage.arena.loop = func(d runtime.MatchDispatcher, _ []runtime.MatchData) {
						broadcast := d.BroadcastMessage
						if deferred {
							broadcast = d.BroadcastMessageDeferred
						}
						err = broadcast(c.op, []byte(c.data), h.presences(c.to), nil, c.reliable)
					}
					w.stage.loop()
					w.stage.arena.loop = nil
					w.stage.loop() // nothing is sent twice
					udp, sock := h.received(c.op, c.data), w.stage.names()
					if s := w.bridge.Stats(); udp != c.udp || sock != c.sock || err != nil || s.Undelivered != c.missed {
						t.Errorf("by UDP to %q, by socket to %q, %v, missed %d; want %q, %q, %d", udp, sock, err, s.Undelivered, c.udp, c.sock, c.missed)
					}
				})
			})
		}
	}
}

// hall is a match with the three players.
type hall struct {
	*world
	clients map[string]*transport.Client
}

func newHall(w *world) *hall {
	anna, cleo := w.signIn("anna"), w.signIn("cleo")
	h := &hall{w, map[string]*transport.Client{
		"anna": w.dial(anna, w.stage.join(anna).GetSessionId()),
		"ben":  w.dial(w.signIn("ben"), ""),
	}}
	w.stage.join(cleo)
	w.settle()
	return h
}

// presences are the match's, by name; nil stays nil.
func (h *hall) presences(names []string) []runtime.Presence {
	if names == nil {
		return nil
	}
	found := []runtime.Presence{}
	for _, p := range h.stage.arena.players {
		if slices.Contains(names, p.GetUsername()) {
			found = append(found, p)
		}
	}
	if slices.Contains(names, "stranger") {
		found = append(found, &virtual{UserID: newUUID(), SessionID: newUUID()})
	}
	return found
}

// received is who got exactly this by UDP, once.
func (h *hall) received(op int64, data string) string {
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
	var who []string
	for name, c := range h.clients {
		switch n := c.Stats().Received; n {
		case 0:
			continue
		case 1:
			who = append(who, name)
		default:
			h.Errorf("%s got %d datagrams", name, n)
		}
		if o, d := h.receive(c); o != op || d != data {
			h.Errorf("%s got %d %q", name, o, d)
		}
	}
	slices.Sort(who)
	return strings.Join(who, " ")
}

// names is whom the sockets' messages went to.
func (s *stage) names() string {
	var who []string
	for _, line := range s.sent {
		name, _, _ := strings.Cut(line, " ")
		who = append(who, name)
	}
	return strings.Join(who, " ")
}

// A player whose UDP has just broken gets unreliable messages by socket.
func TestBroadcastAfterUDP(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		h := newHall(w)
		h.clients["anna"].Close()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		w.stage.arena.loop = func(d runtime.MatchDispatcher, _ []runtime.MatchData) {
			d.BroadcastMessage(1, []byte("x"), nil, nil, false)
		}
		w.stage.loop() // the leave is in this tick's queue, after the broadcast
		w.stage.loop()
		if got := w.stage.names(); got != "anna anna cleo cleo" {
			t.Errorf("by socket to %q, want anna and cleo, both times", got)
		}
	})
}

// Nakama's own errors come through.
func TestBroadcastToNobody(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		newHall(w)
		d := &w.stage.match.(*match).dispatcher
		d.nakama = refusing{}
		if err := d.BroadcastMessage(1, nil, []runtime.Presence{nil}, nil, false); err != errNone {
			t.Errorf("a nil presence gives %v", err)
		}
		if err := d.MatchKick([]runtime.Presence{nil, &virtual{SessionID: "x"}}); err != errNone {
			t.Errorf("kicking a stranger gives %v", err)
		}
		if err := d.BroadcastMessage(1, nil, nil, nil, true); err != errNone {
			t.Errorf("a broadcast gives %v", err)
		}
	})
}

// refusing is a dispatcher that fails.
type refusing struct{ runtime.MatchDispatcher }

func (refusing) BroadcastMessage(int64, []byte, []runtime.Presence, runtime.Presence, bool) error {
	return errNone
}
func (refusing) MatchKick([]runtime.Presence) error { return errNone }

// What goes by UDP does not wait for what goes by socket.
func TestBroadcastWithSlowSockets(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		h := newHall(w)
		d, udp := &w.stage.match.(*match).dispatcher, ""
		d.nakama = calling{f: func() { udp = h.received(1, "x") }}
		if err := d.BroadcastMessage(1, []byte("x"), nil, nil, false); err != nil || udp != "anna ben" {
			t.Errorf("%v, by UDP to %q while the sockets' broadcast is under way", err, udp)
		}
	})
}

// calling is a dispatcher that makes a call in place of a broadcast.
type calling struct {
	runtime.MatchDispatcher

	f func()
}

func (c calling) BroadcastMessage(int64, []byte, []runtime.Presence, runtime.Presence, bool) error {
	c.f()
	return nil
}
