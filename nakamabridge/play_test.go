package nakamabridge

import (
	"testing"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
)

// "A match handler's code does not change." Two players over UDP sockets on loopback: one with a socket and UDP, one
// with UDP alone.
func TestTwoPlayers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	anna, ben := w.signIn("anna"), w.signIn("ben")
	presence := w.stage.join(anna)
	a := w.dial(anna, presence.GetSessionId())
	b := w.dial(ben, "")
	w.until(func() bool { return len(w.stage.arena.players) == 2 })
	w.want("init", "attempt anna true ", "join anna", "attempt ben true udp", "join ben")

	w.send(a, 3, "left")
	w.until(w.seen)
	w.want(`data anna 3 "left" false`)
	w.send(b, 300, "")
	w.until(w.seen)
	w.want(`data ben 300 "" false`)

	w.stage.arena.loop = func(d runtime.MatchDispatcher, _ []runtime.MatchData) {
		d.BroadcastMessage(7, []byte("fast"), nil, nil, false)
		d.BroadcastMessageDeferred(8, []byte("sure"), nil, nil, true)
		w.stage.arena.loop = nil
	}
	w.stage.loop()
	if op, data := w.receive(a); op != 7 || data != "fast" {
		t.Errorf("anna got %d %q by UDP, want the unreliable message", op, data)
	}
	for _, want := range []int64{7, 8} { // loopback keeps the order
		if op, _ := w.receive(b); op != want {
			t.Errorf("ben got %d by UDP, want %d", op, want)
		}
	}
	if len(w.stage.sent) != 1 || w.stage.sent[0] != "anna 8 sure" {
		t.Errorf("by socket went %q, want the reliable message to anna", w.stage.sent)
	}

	b.Close()
	w.until(w.seen)
	w.want("leave ben 3")
	w.stage.leave(presence)
	w.want("leave anna 4")
	w.ended(a, session.ReasonLeft)
}

func (w *world) seen() bool { return len(w.stage.arena.log) > 0 }

// until runs ticks until ok.
func (w *world) until(ok func() bool) {
	w.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if w.stage.loop(); time.Now().After(end) {
			w.Fatalf("nothing came; the match saw %q; %+v", w.stage.arena.log, w.bridge.Stats())
		}
	}
}
