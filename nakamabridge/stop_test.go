package nakamabridge

import (
	"testing"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
)

// "nil state from any inner call means stop the match: return it at once", and the players by UDP are told why.
func TestNoState(t *testing.T) {
	t.Parallel()
	for _, over := range []string{
		"attempt cleo true udp", "join cleo", `data ben 1 "x" false`, "leave ben 3", "signal end", "terminate",
		"attempt anna true ", "join anna", "leave anna 4",
	} {
		t.Run(over, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(w *world) {
				watcher := w.dial(w.signIn("watcher"), "")
				ben := w.dial(w.signIn("ben"), "")
				w.settle()
				w.stage.arena.over = over
				switch over {
				case "signal end":
					w.stage.state, _ = w.stage.match.MatchSignal(w.ctx, nil, nil, nil, w.stage, 0, w.stage.state, "end")
				case "terminate":
					w.stage.state = w.stage.match.MatchTerminate(w.ctx, nil, nil, nil, w.stage, 0, w.stage.state, 10)
				case "attempt anna true ", "join anna", "leave anna 4":
					if p := w.stage.join(w.signIn("anna")); w.stage.state != nil {
						w.stage.leave(p)
					}
				case "leave ben 3":
					ben.Close()
					w.settle()
				default:
					w.dial(w.signIn("cleo"), "")
					w.send(ben, 1, "x")
					w.settle()
				}
				if w.stage.state != nil {
					t.Error("the match goes on")
				}
				reason := session.ReasonLeft
				if over == "terminate" { // Nakama calls it when the server stops
					reason = session.ReasonShutdown
				}
				w.ended(watcher, reason)
				if w.bridge.match(w.stage.id) != nil {
					t.Error("the match is still in the table")
				}
			})
		})
	}
}

// "With a grace period the match goes on, and so does UDP."
func TestTerminate(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		c := w.dial(w.signIn("ben"), "")
		w.settle()
		w.stage.state = w.stage.match.MatchTerminate(w.ctx, nil, nil, nil, w.stage, 0, w.stage.state, 10)
		w.send(c, 1, "last words")
		w.settle()
		w.want("init", "attempt ben true udp", "join ben", "terminate", `data ben 1 "last words" false`)
		w.stage.state = w.stage.match.MatchTerminate(w.ctx, nil, nil, nil, w.stage, 0, w.stage.state, 0)
		w.ended(c, session.ReasonShutdown)
	})
}

// Close tells those who play that the server stops, and nothing runs afterwards: the bubble sees to that.
func TestClose(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		c := w.dial(w.signIn("ben"), "")
		w.settle()
		go w.bridge.Close()
		w.bridge.Close()
		w.ended(c, session.ReasonShutdown)
		if s := newStage(w.ctx, w.bridge); w.bridge.match(s.id) != nil {
			t.Error("a match that begins now is in the table")
		}
	})
}

// "UDP-only players get what the game still sends in this tick, as sockets do; then their session ends, and MatchLeave
// follows."
func TestKickedHearsTheRest(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"loop", "signal"} {
		virtually(t, func(w *world) {
			b := w.dial(w.signIn("ben"), "")
			w.settle()
			w.stage.arena.log = nil
			kick := func(d runtime.MatchDispatcher) {
				p := []runtime.Presence{w.presence("ben")}
				d.BroadcastMessage(1, []byte("you are kicked"), p, nil, true)
				d.BroadcastMessageDeferred(3, []byte("deferred"), p, nil, true)
				d.MatchKick(p)
				d.MatchKick(p)
				d.BroadcastMessage(2, []byte("too late"), p, nil, true)
			}
			if where == "loop" {
				w.stage.arena.loop = func(d runtime.MatchDispatcher, _ []runtime.MatchData) {
					kick(d)
					w.stage.arena.loop = nil
				}
			} else {
				kick(&w.stage.match.(*match).dispatcher)
				w.stage.state, _ = w.stage.match.MatchSignal(w.ctx, nil, nil, nil, w.stage, 0, w.stage.state, "x")
				w.stage.arena.log = nil
				w.send(b, 1, "of nobody")
				time.Sleep(100 * time.Millisecond)
			}
			w.stage.loop()
			w.want("leave ben 3")
			for _, want := range []string{"you are kicked", "too late", "deferred"} {
				if _, got := w.receive(b); got != want {
					t.Errorf("%s: the kicked player gets %q, want %q", where, got, want)
				}
			}
			w.ended(b, session.ReasonKicked)
			w.settle()
			w.want()
		})
	}
}

// "The UDP session of a player who has a socket ends at once", and Nakama is asked for the rest.
func TestKick(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		anna := w.signIn("anna")
		p := w.stage.join(anna)
		a, b := w.dial(anna, p.GetSessionId()), w.dial(w.signIn("ben"), "")
		w.settle()
		w.stage.arena.log = nil
		w.stage.arena.loop = func(d runtime.MatchDispatcher, _ []runtime.MatchData) {
			for _, p := range w.stage.arena.players {
				d.MatchKick([]runtime.Presence{p})
			}
			w.stage.arena.loop = nil
		}
		w.send(b, 1, "before")
		w.settle()
		w.want(`data ben 1 "before" false`, "leave ben 3")
		w.settle()
		w.want()
		w.ended(a, session.ReasonKicked)
		w.ended(b, session.ReasonKicked)
		if len(w.stage.kicked) != 1 || w.stage.kicked[0] != "anna" {
			t.Errorf("Nakama was asked to kick %q, want anna, of whom it knows", w.stage.kicked)
		}
	})
}

// The game may refuse a UDP-only player, and there are no more than VirtualPlayers.
func TestRefusedByTheGame(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		w.stage.arena.refuse = "eve"
		e, b := w.dial(w.signIn("eve"), ""), w.dial(w.signIn("ben"), "")
		w.send(e, 1, "not in the match")
		w.settle()
		w.ended(e, session.ReasonKicked)
		c := w.dial(w.signIn("cleo"), "")
		w.settle()
		w.ended(c, session.ReasonFull)
		if len(w.stage.arena.players) != 1 || w.bridge.Stats().Orphaned != 1 {
			t.Errorf("in the match are %d players, %d inputs were orphaned, want one each", len(w.stage.arena.players), w.bridge.Stats().Orphaned)
		}
		w.send(b, 1, "")
	}, func(c *Config) { c.VirtualPlayers = 1 })
}

func TestNoVirtualPlayers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, func(c *Config) { c.VirtualPlayers = 0 })
	_, err := w.connect(w.signIn("ben"), "")
	code(t, err, 7)
}
