package transport

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
)

// ticketless configures a server that gives no tickets.
func (w *world) ticketless() func(*Config) {
	ring, err := fleetkey.NewRing()
	if err != nil {
		w.Fatal(err)
	}
	return func(c *Config) { c.Session.FleetKeys = ring }
}

// "The server SHOULD then send a copy of the CLOSE to that address too, once in 100 ms" PROTOCOL.md
// 5.5: a player whose translator gives it another address while its session ends, from 200 ms
// before to 200 ms after, knows why within a second.
func TestCloseAcrossChangeOfAddress(t *testing.T) {
	t.Parallel()
	const latency = 20 * time.Millisecond
	for _, name := range []string{"Kick", "Shutdown"} {
		for ms := -200; ms <= 200; ms += 20 {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: latency})
				r := w.run(w.ticketless())
				s := w.stay(1)
				time.Sleep(time.Second)
				time.AfterFunc(time.Duration(ms+200)*time.Millisecond, func() { w.rebind(s.Client, neighbour(1)) })
				time.Sleep(200 * time.Millisecond)
				reason, ended := wire.ReasonKicked, make(chan struct{})
				go func() {
					defer close(ended)
					if name == "Kick" {
						w.match.player(0).Kick(reason, strings.Repeat("x", wire.MaxDetail))
					} else if reason = wire.ReasonShutdown; w.server.Shutdown(context.Background()) != nil {
						t.Error("Shutdown fails")
					}
				}()
				time.Sleep(closeTime + latency)
				<-ended
				synctest.Wait()
				if w.closed(s.progress.over(), reason); w.Failed() {
					t.Errorf("%s %d ms after the change", name, -ms)
				}
				if s.quit(); name == "Kick" {
					w.end(r, r.Close)
				} else {
					w.end(r, func() error { return nil })
				}
			})
		}
	}
}

// Whoever copies what a player sends gets no CLOSE for it, unless the copy comes first: then no
// more bytes than it has sent, ten times a second, and the player gets its own.
func TestCloseGoesNowhereElse(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{false, true} {
		t.Run(fmt.Sprint("copies come first: ", first), func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				r := w.run(w.ticketless())
				s := w.stay(1)
				time.Sleep(time.Second)
				sent, got, copies := 0, 0, 0
				w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
					switch {
					case to == thief:
						got += len(b)
						copies++
					case from == serverAddr && copies == 0: // so that the player goes on
						return false
					case from == playerAddr(1):
						sent += len(b)
						if first {
							w.net.Inject(thief, serverAddr, b)
						} else {
							b := append([]byte(nil), b...)
							time.AfterFunc(30*time.Millisecond, func() { w.net.Inject(thief, serverAddr, b) })
						}
					}
					return true
				})
				w.match.player(0).Kick(wire.ReasonKicked)
				time.Sleep(10*frame + closeTime/2)
				synctest.Wait()
				w.net.Tap(nil)
				if first && (copies == 0 || copies > 6 || got > sent) || !first && copies > 0 {
					t.Errorf("%d datagrams and %d bytes for %d", copies, got, sent)
				}
				if first {
					w.closed(s.progress.over(), wire.ReasonKicked)
				}
				w.quit(r, s)
			})
		})
	}
}
