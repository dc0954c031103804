package transport

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// "Reasons from wire.ReasonGame on are the game's own; 0, and one that the protocol does not define, is
// wire.ReasonKicked. A detail is text for the player's log, of which the first 64 bytes are sent."
func TestKickSaysWhy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reason, told wire.Reason
		detail       []string
		heard, text  string
	}{
		"no detail":      {wire.ReasonKicked, wire.ReasonKicked, nil, "", "transport: session closed: kicked"},
		"a detail":       {wire.ReasonKicked, wire.ReasonKicked, []string{"too slow"}, "too slow", `transport: session closed: kicked: "too slow"`},
		"a long one":     {200, 200, []string{strings.Repeat("x", 70)}, strings.Repeat("x", 64), `transport: session closed: game's reason 200: "` + strings.Repeat("x", 64) + `"`},
		"a nasty one":    {128, 128, []string{"a\nb"}, "a\nb", `transport: session closed: game's reason 128: "a\nb"`},
		"no reason":      {0, wire.ReasonKicked, nil, "", "transport: session closed: kicked"},
		"one of later":   {127, wire.ReasonKicked, nil, "", "transport: session closed: kicked"},
		"the last one":   {255, 255, nil, "", "transport: session closed: game's reason 255"},
		"one for others": {wire.ReasonShutdown, wire.ReasonShutdown, nil, "", "transport: session closed: server shutting down"},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve()
				c := w.dial(1)
				w.match.player(0).Kick(test.reason, test.detail...)
				err := w.ending(c)
				closed, ok := errors.AsType[*CloseError](err)
				if !ok || closed.Reason != test.told || closed.Detail != test.heard || err.Error() != test.text {
					t.Errorf("%#v: %v", closed, err)
				}
				if left := w.match.left(); len(left) != 1 || left[0] != test.told {
					t.Errorf("the match was told %v", left)
				}
			})
		})
	}
}

// "The player does not come back by ticket": nor in the next process, if the match has put the
// player out because another one has left, while the server shuts down.
func TestKickedWhileHandedOn(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *Player){
		"Kick": func(p *Player) { p.Kick(wire.ReasonKicked, "your team has gone") },
		"CloseAfter": func(p *Player) {
			_, _ = p.SendMessage(laneOrdered, []byte("goodbye"))
			p.CloseAfter(5*time.Second, wire.ReasonKicked, "your team has gone")
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				fleet, h := w.fleet(t), w.match.handler()
				s := w.listen(fleet, allLanes)
				h.Leave = func(p *Player, reason wire.Reason) {
					w.match.leave(p, reason)
					end(w.match.player(1))
				}
				w.serving.Go(func() {
					for ; w.served == nil; time.Sleep(frame) {
						_, w.served = s.Poll(h)
						s.Flush()
					}
				})
				clients := []*Client{w.dial(0, withLanes), w.dial(1, withLanes)}
				time.Sleep(time.Second)
				w.match.player(0).Kick(wire.ReasonKicked)
				if err := s.Shutdown(context.Background()); err != nil {
					t.Fatal(err)
				}
				w.serve(fleet, allLanes)
				for _, c := range clients {
					w.closed(w.ending(c), wire.ReasonKicked)
				}
				if n := w.match.joined(); n != 2 {
					t.Errorf("%d joined", n)
				}
			})
		})
	}
}

// "The player does not come back by ticket": nor elsewhere in the fleet, if the server shuts down
// before its next turn.
func TestKickedBeforeShutdown(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		share, _ := w.keyed()
		var out []session.Used
		s := w.tick(share, noting(&out))
		c := w.dial(1)
		w.match.player(0).Kick(wire.ReasonGame, "why")
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		w.closed(w.ending(c), wire.ReasonGame)
		if left := w.match.left(); len(left) != 1 || left[0] != wire.ReasonGame {
			t.Errorf("the match was told %v", left)
		}
		if len(out) != 1 || out[0].ID != w.match.player(0).Session().Name() {
			t.Errorf("other servers are told %+v", out)
		}
	})
}

// "The player does not come back by ticket": nor elsewhere in the fleet, if no turn comes any more.
func TestKickedAfterShutdown(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		share, _ := w.keyed()
		var out []session.Used
		s := w.tick(share, noting(&out))
		w.dial(1)
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		p := w.match.player(0)
		if p.Kick(wire.ReasonGame); len(out) != 1 || out[0].ID != p.Session().Name() || out[0].Reason != wire.ReasonGame {
			t.Errorf("other servers are told %+v", out)
		}
	})
}

// "Close … says nothing to players …; whom the match has put out stays out", on other servers as well.
func TestKickedBeforeClose(t *testing.T) {
	t.Parallel()
	for name, out := range map[string]func(*Player){
		"Kick":       func(p *Player) { p.Kick(wire.ReasonGame) },
		"CloseAfter": func(p *Player) { p.CloseAfter(time.Minute, wire.ReasonGame) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtual(t, func(w *world) {
				share, _ := w.keyed()
				var told []session.Used
				s := w.tick(share, allLanes, noting(&told))
				w.dial(1, withLanes)
				time.Sleep(time.Second)
				p := w.match.player(0)
				if _, err := p.SendMessage(laneOrdered, []byte("goodbye")); err != nil {
					t.Error(err)
				}
				out(p)
				s.Close()
				if len(told) != 1 || told[0].ID != p.Session().Name() || told[0].Reason != wire.ReasonGame {
					t.Errorf("other servers are told %+v", told)
				}
			})
		})
	}
}

// "CLOSE with the reason is sent": also to whom the match puts out because another player leaves at the
// shutdown. "OnUsed, if set, is called once".
func TestKickedByLeave(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		var told []session.Used
		share, _ := w.keyed()
		s, h := w.listen(share, noting(&told)), w.match.handler()
		want := map[*Player]wire.Reason{}
		h.Leave = func(p *Player, reason wire.Reason) {
			w.match.leave(p, reason)
			for n := range w.match.joined() {
				if other := w.match.player(n); other != p && want[p] == 0 {
					want[p], want[other] = wire.ReasonShutdown, wire.ReasonGame
					other.Kick(wire.ReasonGame)
				}
			}
		}
		w.serving.Go(func() { w.served = s.Serve(h) })
		clients := []*Client{w.dial(0), w.dial(1)}
		time.Sleep(time.Second)
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		for n, c := range clients {
			w.closed(w.ending(c), want[w.match.player(n)])
		}
		if left := w.match.left(); !slices.Equal(left, []wire.Reason{wire.ReasonShutdown, wire.ReasonGame}) {
			t.Errorf("left: %v", left)
		}
		if len(told) != 1 || told[0].Reason != wire.ReasonGame {
			t.Errorf("other servers are told %+v", told)
		}
	})
}

// noting has the sessions listed that were put out.
func noting(out *[]session.Used) func(*Config) {
	return func(c *Config) {
		c.Session.OnUsed = func(u session.Used) {
			if u.Kind == session.UsedSession {
				*out = append(*out, u)
			}
		}
	}
}

// Shutdown "admits nobody any more": neither who has just shown a good identity token, which stays
// unused.
func TestVerifiedBeforeShutdown(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		v := &slow{Verifier: w.issuer.Verifier(w), hold: make(chan struct{})}
		v.on.Store(true)
		s := w.tick(func(c *Config) { c.Verifier = v })
		refused := make(chan error)
		go func() {
			_, err := w.try(1)
			refused <- err
		}()
		time.Sleep(time.Second)
		close(v.hold)
		synctest.Wait() // the verdict waits for the next turn
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		w.closed(<-refused, wire.ReasonShutdown)
		if n := w.match.joined(); n != 0 {
			t.Errorf("%d joined", n)
		}
	})
}

// "The player does not come back by ticket, whatever the reason": not one who was put out while its path was dark, either.
func TestKickedWhileAway(t *testing.T) {
	t.Parallel()
	for _, reason := range []wire.Reason{wire.ReasonKicked, wire.ReasonShutdown, wire.ReasonIdle, wire.ReasonReplaced, wire.ReasonExpired, wire.ReasonGame} {
		t.Run(reason.String(), func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				r := w.run()
				s := w.stay(1)
				time.Sleep(time.Second)
				w.net.SetImpairment(netsim.Impairment{Loss: 1})
				w.match.player(0).Kick(reason, "not you")
				time.Sleep(3 * time.Second)
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				w.closed(w.ending(s.Client), wire.ReasonTicket)
				if r.gate.Len() != 0 || w.match.joined() != 1 {
					t.Errorf("%d sessions, %d joined", r.gate.Len(), w.match.joined())
				}
				w.quit(r, s)
			})
		})
	}
}

// "CloseAfter ends the player's session as Kick does": also where the connection ends by silence before the wait is over.
func TestClosedAfterWhileAway(t *testing.T) {
	virtual(t, func(w *world) {
		w.match.lanes = newLedger("server")
		var line *netsim.Conn
		r := w.run(allLanes)
		s := w.stay(1, withLanes, func(c *ClientConfig) { line = c.Conn.(*netsim.Conn) })
		time.Sleep(time.Second)
		line.SetImpairment(netsim.Impairment{Loss: 1})
		time.Sleep(session.DefaultIdle - 5*time.Second) // in which the client still hears the server
		line.SetIncoming(netsim.Impairment{Loss: 1})
		if _, err := w.match.player(0).SendMessage(laneOrdered, []byte("goodbye")); err != nil {
			t.Fatal(err)
		}
		w.match.player(0).CloseAfter(time.Minute, 200)
		time.Sleep(10 * time.Second)
		if left := w.match.left(); len(left) != 1 || left[0] != wire.ReasonIdle {
			t.Fatalf("the player has left for %v, want for its silence", left)
		}
		line.SetImpairment(netsim.Impairment{})
		line.SetIncoming(netsim.Impairment{})
		w.closed(w.ending(s.Client), wire.ReasonTicket)
		if r.gate.Len() != 0 || w.match.joined() != 1 {
			t.Errorf("%d sessions, %d joined", r.gate.Len(), w.match.joined())
		}
		w.quit(r, s)
	})
}
