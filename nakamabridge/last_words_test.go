package nakamabridge

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// "Reliable broadcasts that the match has sent before it kicks a player or ends arrive before the
// CLOSE", over a path that has just lost everything.
func TestLastWords(t *testing.T) {
	t.Parallel()
	for name, reason := range map[string]session.Reason{"kick": session.ReasonKicked, "end": session.ReasonLeft} {
		virtually(t, func(w *world) {
			ben := w.seat("ben")
			ben.line.SetIncoming(netsim.Impairment{Loss: 1})
			if name == "end" {
				w.stage.arena.over = "signal stop"
			}
			w.tick(func(d runtime.MatchDispatcher) {
				d.BroadcastMessage(1, numbered(0, 6144), nil, nil, true)
				if name == "kick" {
					for _, p := range w.stage.arena.players {
						d.MatchKick([]runtime.Presence{p})
					}
				}
			})
			if name == "end" {
				w.stage.match.MatchSignal(w.stage.ctx, nil, nil, nil, w.stage, 0, w.stage.state, "stop")
			}
			time.Sleep(time.Second)
			ben.line.SetIncoming(netsim.Impairment{})
			<-ben.done
			if e, ok := errors.AsType[*transport.CloseError](ben.err); !ok || e.Reason != reason {
				t.Errorf("%s: the session ended with %v", name, ben.err)
			}
			if got := ben.take(); !slices.Equal(got, []string{"lane 0 1 6144 bytes from 1000"}) {
				t.Errorf("%s: before that came %q", name, got)
			}
		})
	}
}

// "which waits for them for up to 5 s; what the player sends meanwhile does not count": a player who
// acknowledges nothing is gone then, and one who is revoked at once.
func TestLastWordsEnd(t *testing.T) {
	t.Parallel()
	for _, revoke := range []bool{false, true} {
		virtually(t, func(w *world) {
			ben := w.seat("ben")
			ben.line.SetIncoming(netsim.Impairment{Loss: 1})
			w.tick(func(d runtime.MatchDispatcher) {
				d.BroadcastMessage(1, numbered(0, 6144), nil, nil, true)
				for _, p := range w.stage.arena.players {
					d.MatchKick([]runtime.Presence{p})
				}
			})
			w.stage.arena.log = nil
			w.send(ben.Client, 5, "late")
			w.settle()
			w.want()
			for _, userID := range w.bridge.playing() {
				if revoke {
					w.bridge.Revoke(userID)
				}
			}
			time.Sleep(lastWords / 2)
			if n := len(w.bridge.playing()); n == 1 == revoke {
				t.Errorf("revoked %v: %d sessions are left", revoke, n)
			}
			time.Sleep(lastWords)
			if n := len(w.bridge.playing()); n > 0 {
				t.Errorf("revoked %v: %d sessions are left at the end", revoke, n)
			}
		})
	}
}
