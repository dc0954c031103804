package transport

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

// Whichever datagram of the handshake is lost, or comes twice, the connection
// comes up; "If the server's last flight is lost, it answers the client's authenticated Finished
// again." PROTOCOL.md 9.1
func TestEachFlightLostOnce(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		for name, fate := range map[string]int{"lost": 0, "twice": 2} {
			t.Run(fmt.Sprint(i, " ", name), func(t *testing.T) {
				virtual(t, func(w *world) {
					w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
					w.serve()
					n, hit := 0, false
					var mu sync.Mutex
					w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
						mu.Lock()
						defer mu.Unlock()
						n++
						if n-1 != i {
							return true
						}
						hit = true
						if fate == 2 {
							again := slices.Clone(b)
							time.AfterFunc(20*time.Millisecond, func() { w.net.Inject(from, to, again) })
						}
						return fate > 0
					})
					start := time.Now()
					c := w.dial(1)
					if d := time.Since(start); d > time.Second {
						w.Errorf("Dial takes %v", d)
					}
					w.net.Tap(nil)
					w.echo(c, "hello")
					if !hit && i < 8 {
						w.Errorf("there were only %d datagrams", n)
					}
					if s := w.server.Stats(); s.Handshakes.Completed != 1 || s.Sessions != 1 {
						w.Errorf("%+v", s)
					}
				})
			})
		}
	}
}

// Both directions lose one in two for a while, again and again.
func TestDialThroughOutages(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		for i := range 50 {
			w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond, Loss: 0.5})
			time.AfterFunc(600*time.Millisecond, func() { w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond}) })
			start := time.Now()
			c := w.dial(i)
			if d := time.Since(start); d > 3*time.Second {
				w.Errorf("player %d: Dial takes %v", i, d)
			}
			time.Sleep(time.Second)
			w.echo(c, "hello")
			c.Close()
		}
	})
}
