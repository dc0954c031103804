package nakamabridge

import (
	"testing"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// A player whose connection ends by silence, and who is back by ticket before the match's next tick, goes on: the match
// learns of both at once.
func TestBackWithinATick(t *testing.T) {
	t.Parallel()
	ring := testkit.Ring(t)
	virtually(t, func(w *world) {
		anna := w.seat("anna")
		w.want("init", "attempt anna true udp", "join anna")
		lost := netsim.Impairment{Loss: 1}
		anna.line.SetImpairment(lost)
		for start := time.Now(); time.Since(start) < session.DefaultIdle-5*time.Second; { // the client hears the server longer
			w.tick(func(d runtime.MatchDispatcher) { d.BroadcastMessage(1, []byte("on"), nil, nil, false) })
		}
		anna.line.SetIncoming(lost)
		time.Sleep(10 * time.Second)
		if n := w.bridge.Stats().Transport.Sessions; n != 0 {
			t.Fatalf("%d sessions live, want 0: the connection has not ended", n)
		}
		anna.line.SetImpairment(netsim.Impairment{})
		anna.line.SetIncoming(netsim.Impairment{})
		time.Sleep(5 * time.Second)
		w.settle()
		time.Sleep(time.Second)
		w.send(anna.Client, 1, "back")
		w.settle()
		w.want(`data anna 1 "back" false`)
		if n := anna.Stats().Resumed; n != 1 {
			t.Errorf("the session was resumed %d times, want once", n)
		}
	}, func(c *Config) { c.Session.FleetKeys = ring })
}
