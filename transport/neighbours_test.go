package transport

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/netsim"
)

// besiege sends ClientHellos from forged addresses, perSecond of them, until the
// returned function is called.
func (w *world) besiege(perSecond int, from func(i int) netip.AddrPort) (end func()) {
	hello := w.firstHello()
	return w.often(perSecond, func(i int) { w.net.Inject(from(i), serverAddr, anotherHello(hello, i)) })
}

// anotherHello is a copy of a ClientHello that begins a handshake of its own: its random is another one.
func anotherHello(hello []byte, i int) []byte {
	b := slices.Clone(hello)
	b[40] = byte(i)
	return b
}

// often does something perSecond times, until the returned function is called.
func (w *world) often(perSecond int, do func(i int)) (end func()) {
	done := make(chan struct{})
	w.serving.Go(func() {
		ticker := time.NewTicker(time.Second / time.Duration(perSecond))
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			do(i)
		}
	})
	return func() { close(done) }
}

// neighbours are the other hosts of player 1's /24, in any order.
func neighbours(i int) netip.AddrPort {
	a := playerAddr(1).Addr().As4()
	a[3] = byte(100 + i%100)
	return netip.AddrPortFrom(netip.AddrFrom4(a), uint16(1024+i))
}

// resumes has player 1's connection end, from the same port or another, and fails unless the
// player is back within two seconds.
func (w *world) resumes(s *stayer, port uint16) {
	w.Helper()
	before := s.Stats().Resumed
	start := time.Now()
	if port != 0 {
		w.rebind(s.Client, netip.AddrPortFrom(playerAddr(1).Addr(), port))
	}
	w.disconnect(s.Client)
	for s.Stats().Resumed == before && time.Since(start) < time.Minute {
		time.Sleep(10 * time.Millisecond)
	}
	if d := time.Since(start); d > 2*time.Second {
		w.Errorf("back after %v; the server: %+v", d, w.server.Stats())
	}
}

// "Each address at which a session lives, or has lived in the last 10 minutes, has one ClientHello
// a second, and one half-open handshake, of its own" PROTOCOL.md 9.1. "Live sessions are not
// affected" PROTOCOL.md 13: whatever comes from the other addresses of its prefix, and however
// much, a live player resumes.
func TestNeighboursOfALivePlayer(t *testing.T) {
	t.Parallel()
	floods := []int{30, 300, 3000}
	if testing.Short() {
		floods = floods[1:2]
	}
	for _, flood := range floods {
		for name, from := range map[string]func(int) netip.AddrPort{
			"the player's /24": neighbours,
			"everywhere":       func(i int) netip.AddrPort { return stranger(i * 7) },
			"the player's own ports": func(i int) netip.AddrPort {
				return netip.AddrPortFrom(playerAddr(1).Addr(), []uint16{playerAddr(1).Port(), 5001, 5002}[i%3])
			},
			"the /24s of many players": func(i int) netip.AddrPort { return netip.AddrPortFrom(playerAddr(i%250).Addr().Next(), 9) },
		} {
			t.Run(fmt.Sprintf("%d a second from %s", flood, name), func(t *testing.T) {
				t.Parallel()
				virtual(t, func(w *world) {
					w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
					r := w.run()
					s := w.stay(1)
					defer w.quit(r, s)
					end := w.besiege(flood, from)
					defer end()
					time.Sleep(5 * time.Second)
					w.resumes(s, 0)
					time.Sleep(2 * time.Second)
					w.resumes(s, 5001)
					time.Sleep(2 * time.Second)
					w.resumes(s, 5002)
				})
			})
		}
	}
}

// knowsNoRetry has what the server asks by RETRY come to nobody, as if no client knew it.
func (w *world) knowsNoRetry() {
	w.net.Tap(func(_, _ netip.AddrPort, b []byte) bool { return !retry.IsRetry(b) })
}

// The same for an address at which nobody lives any more, for ten minutes, and a client that cannot prove its address.
func TestNeighboursOfAnAbsentPlayer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		away time.Duration
		in   bool
	}{{time.Minute, true}, {9 * time.Minute, true}, {13 * time.Minute, false}} {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
			w.serve()
			w.dial(1).Close()
			time.Sleep(c.away)
			end := w.besiege(300, neighbours)
			defer end()
			w.knowsNoRetry()
			time.Sleep(10 * time.Second)
			start := time.Now()
			_, err := w.try(1)
			if d := time.Since(start); c.in != (err == nil && d < 2*time.Second) {
				w.Errorf("away for %v: in after %v, %v", c.away, d, err)
			}
		})
	}
}

// Whoever plays for longer than that stays known: the address is noted again each minute, and is one of those at which a session
// "has lived in the last 10 minutes" after an hour, too.
func TestLivePlayersStayKnown(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		w.dial(1, quietClient, func(c *ClientConfig) { c.Session.KeepAlive = 20 * time.Second })
		for minute := range 60 {
			time.Sleep(time.Minute)
			noted := time.Hour
			for a, seen := range w.server.endpoint.Live().All(w.server.clock.now()) {
				if a == playerAddr(1).Addr() {
					noted = w.server.clock.now().Sub(seen)
				}
			}
			if noted > sources.LiveInterval+4*time.Second {
				w.Fatalf("after %d minutes the player's address was noted %v ago", minute+1, noted)
			}
		}
	})
}

// "An address at which a session lives, or has lived in the last 10 minutes, keeps its own
// handshake" docs/fleet.md 8.4: a restart with a snapshot in the middle of a flood keeps neither
// those who play from resuming nor those who are away.
func TestNeighboursAfterARestart(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
		fleet := w.fleet(t)
		r := w.run(fleet)
		s := w.stay(1)
		w.join(2).Close()
		time.Sleep(5 * time.Minute)
		w.end(r, r.shutdown)
		r = w.run(fleet)
		end := w.besiege(900, func(i int) netip.AddrPort {
			a := playerAddr(1 + i%3).Addr().As4()
			a[3] = byte(100 + i%100)
			return netip.AddrPortFrom(netip.AddrFrom4(a), uint16(1024+i))
		})
		time.Sleep(10 * time.Second)
		w.knowsNoRetry()
		w.resumes(s, 5001)
		start := time.Now()
		if _, err := w.try(2); err != nil || time.Since(start) > 2*time.Second {
			w.Errorf("who is away for five minutes is in after %v, %v", time.Since(start), err)
		}
		start = time.Now()
		if _, err := w.try(3); err == nil && time.Since(start) < 2*time.Second {
			w.Errorf("a stranger from such a prefix is in after %v: there is no flood", time.Since(start))
		}
		end()
		w.quit(r, s)
	})
}

// "Of those whose senders have proven nothing at such addresses there MUST NOT be more at once than of
// strangers: beyond that the server asks for a proof." PROTOCOL.md 9.1. Who forges all players' addresses
// begins few handshakes, and keeps no player from resuming.
func TestFewBeginInPlayersNames(t *testing.T) {
	t.Parallel()
	const players, few = 40, 16
	for _, flood := range []int{300, 3000} {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
			r := w.run(func(c *Config) { c.MaxHandshakes = 16 * few })
			stayers := w.stayAll(players)
			end := w.besiege(flood, func(i int) netip.AddrPort {
				return netip.AddrPortFrom(playerAddr(i%players).Addr(), uint16(2000+i))
			})
			for range 100 {
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
				if n := w.server.first().Holdings().HalfOpen; n > 2*few {
					t.Fatalf("%d a second: %d handshakes are half-open, want %d and as many of strangers", flood, n, few)
				}
			}
			if n := w.server.Stats().Handshakes.Started - players; n < few {
				t.Errorf("%d a second: %d handshakes have begun: there is no flood", flood, n)
			}
			w.resumes(stayers[1], 0)
			time.Sleep(2 * time.Second)
			w.resumes(stayers[1], 5001)
			end()
			w.quit(r, stayers...)
		})
	}
}

// "of all of these whose senders have proven nothing a sixteenth of all places, 8 at least but a quarter at most"
// PROTOCOL.md 12: who forges all players' addresses keeps nobody out, however few handshakes a server allows.
func TestNewcomersOfASmallServer(t *testing.T) {
	t.Parallel()
	const players = 20
	for _, most := range []int{4, 8, 12, 32} {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
			w.serve(func(c *Config) { c.MaxHandshakes = most })
			for i := range players {
				w.join(i, quietClient)
			}
			end := w.besiege(1000, func(i int) netip.AddrPort {
				return netip.AddrPortFrom(playerAddr(i%players).Addr(), uint16(2000+i))
			})
			defer end()
			time.Sleep(2 * time.Second)
			for i := range 3 {
				start := time.Now()
				if _, err := w.try(players + i); err != nil || time.Since(start) > 2*time.Second {
					t.Errorf("%d handshakes at most: a newcomer is in after %v: %v", most, time.Since(start), err)
				}
			}
		})
	}
}

// Players of one household, whose addresses differ by the port alone, lose their path at once, and come back one by one.
func TestHouseholdResumes(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
		r := w.run()
		var players []*stayer
		for i := range 4 {
			players = append(players, w.stay(1, func(c *ClientConfig) {
				c.Conn.Close() //nolint:errcheck // never fails
				c.Conn = w.socket(netip.AddrPortFrom(playerAddr(1).Addr(), uint16(2000+i)))
				c.Token = w.tokens(grantFor(1 + i))
			}))
		}
		end := w.besiege(300, neighbours)
		time.Sleep(10 * time.Second)
		start := time.Now()
		for _, s := range players {
			w.disconnect(s.Client)
		}
		for _, s := range players {
			for s.Stats().Resumed == 0 && time.Since(start) < time.Minute {
				time.Sleep(10 * time.Millisecond)
			}
		}
		if d := time.Since(start); d > 8*time.Second {
			w.Errorf("the last one is back after %v", d)
		}
		end()
		w.quit(r, players...)
	})
}

// "A server MUST NOT end such a handshake for a stranger's" PROTOCOL.md 9.1, nor for a ClientHello from the same address with
// another port.
func TestOwnHandshakeStays(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.MaxHandshakes = 10 })
		hello := w.firstHello()
		w.dial(1)
		synctest.Wait()
		time.Sleep(2 * time.Second)
		w.net.Inject(neighbour(1), serverAddr, hello)
		synctest.Wait()
		sh := w.server.first()
		own := sh.Handshakes.At(udp.Flow{AddrPort: neighbour(1)})
		if own == nil || !own.OfItsOwn() {
			w.Fatal("a live player's address has nothing of its own")
		}
		r := rand.New(rand.NewPCG(1, 1))
		for i := range 100 {
			from := stranger(i * 200)
			if r.IntN(2) == 0 {
				from = netip.AddrPortFrom(playerAddr(1).Addr(), uint16(3000+i))
			}
			w.net.Inject(from, serverAddr, hello)
			synctest.Wait()
			if sh.Handshakes.At(udp.Flow{AddrPort: neighbour(1)}) != own {
				w.Fatalf("it is gone after %d others", i+1)
			}
			if n := sh.Holdings().HalfOpen; n > 10 {
				w.Fatalf("%d handshakes", n)
			}
		}
	})
}
