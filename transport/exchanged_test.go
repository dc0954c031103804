package transport

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// "A record of application data is opened under the keys that its connection id names, whatever
// address it comes from. The address may have another connection." PROTOCOL.md 9.4. A translator that
// begins anew may give players each other's addresses. All that they send arrives, and the server
// follows them without a handshake.
func TestExchangedAddresses(t *testing.T) {
	t.Parallel()
	for _, players := range []int{2, 3, 8} {
		t.Run(fmt.Sprint(players), func(t *testing.T) {
			both(t, func(w *world) {
				r := w.run()
				at := func(i int) netip.AddrPort { return netip.AddrPortFrom(playerAddr(1).Addr(), uint16(3000+i)) }
				from := func(i int) func(*ClientConfig) { return func(c *ClientConfig) { c.Conn = w.socket(at(i)) } }
				stayers := make([]*stayer, players)
				for i := range stayers {
					stayers[i] = w.stay(i, from(i))
				}
				gone := w.join(players, from(players))
				time.Sleep(time.Second)
				w.rebind(gone, at(players+1)) // as one more
				for i, s := range slices.Backward(stayers) {
					w.rebind(s.Client, at(i+1)) // where somebody else was
				}
				time.Sleep(within)
				for _, s := range stayers {
					s.rest()
				}
				for i, s := range stayers {
					if n := w.missing(s); n > 0 {
						t.Errorf("player %d: %d inputs are missing", i, n)
					}
					if longest := time.Duration(s.longest.Load()); longest > 500*time.Millisecond {
						t.Errorf("player %d had no snapshot for %v", i, longest)
					}
				}
				if n := w.audits(audit.Migrate); n != players+1 {
					t.Errorf("%d migrations are on record, want %d", n, players+1)
				}
				if n := w.audits(audit.Resume); n > 0 {
					t.Errorf("%d sessions were resumed", n)
				}
				w.quit(r, stayers...)
				gone.Close()
			})
		})
	}
}

// "What somebody else opens there ends nothing." PROTOCOL.md 9.6. A translator gives a player's port to
// a newcomer while the player says nothing: the player goes on from another one.
func TestNewcomerAtAPlayersAddress(t *testing.T) {
	t.Parallel()
	for name, bearer := range map[string]bool{"key": false, "bearer": true} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve(func(c *Config) { c.Session.AllowBearer = true })
				mode := func(c *ClientConfig) { c.Session.Bearer = bearer }
				first := w.dial(1, mode, quietClient)
				at := playerAddr(1)
				w.rebind(first, neighbour(1))
				second := w.dial(2, mode, func(c *ClientConfig) {
					c.Conn.Close() //nolint:errcheck // never fails
					c.Conn = w.socket(at)
				})
				w.echo(second, "a newcomer")
				if err := first.Send([]byte("to be answered where the player was")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				w.echo(first, "from elsewhere")
				w.echo(second, "still here")
				if left := w.match.left(); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
				if n := w.audits(audit.Resume) + w.audits(audit.Replace); n > 0 {
					t.Errorf("%d sessions were resumed or replaced", n)
				}
			})
		})
	}
}
