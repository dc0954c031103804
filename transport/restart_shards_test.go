package transport

import (
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// "Until a session has been restored, or is left out, the successor MUST refuse its tickets as busy (CLOSE 12)"
// docs/fleet.md 8.4: one shard restores all the sessions, slowly, while the others open the handshakes of clients
// who have found their paths lost. Real sockets, four to a port.
func TestTicketDoesNotOvertakeRestoration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.close()
	const players = 8
	fleet := w.fleet(t)
	w.address = net.JoinHostPort("127.0.0.1", testkit.FreePort(t))
	first := w.serve(fleet, func(c *Config) { c.Shards = 1 })
	for n := range players {
		w.echo(w.dial(n), "before")
	}
	if err := first.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.serving.Wait()
	w.served, w.match.onJoin = nil, func() { time.Sleep(200 * time.Millisecond) }
	time.Sleep(time.Second)
	second := w.serve(fleet, func(c *Config) { c.Shards = 4 })
	if len(second.endpoint.All()) == 1 {
		t.Skip("sockets cannot share a port here")
	}
	w.await("all players are back", func() bool { return w.match.joined() >= 2*players })
	for n := range players {
		if p := w.match.player(players + n); p.Origin() != OriginRestored {
			t.Errorf("player %d is %v", n, p.Origin())
		}
	}
}
