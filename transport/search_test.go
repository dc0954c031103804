package transport

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/netsim"
)

// nowhere are addresses at which nobody listens.
var nowhere = []netip.AddrPort{
	netip.MustParseAddrPort("10.77.0.1:7777"), netip.MustParseAddrPort("10.77.0.2:7777"), netip.MustParseAddrPort("10.77.0.3:7777"),
}

// dialAny dials player n at the first of some addresses that answers.
func (w *world) dialAny(n int, limit time.Duration, addrs ...netip.AddrPort) (*Client, error) {
	ctx, cancel := context.WithTimeout(w.Context(), limit)
	defer cancel()
	config := ClientConfig{RootCAs: w.authority.Pool(), ServerName: testkit.ServerName, Conn: w.socket(playerAddr(n))}
	c, err := newClient(config, "", addresses{place: udp.Place{Addr: addrs}, known: addrs}, renewal{}, time.Now)
	if err != nil {
		return nil, err
	}
	d := dialing{client: c, identity: []byte(w.issuer.Token(w, grantFor(n)))}
	if err := d.connect(ctx); err != nil {
		c.Close()
		return nil, err
	}
	w.clients = append(w.clients, c)
	return c, nil
}

// asked counts the datagrams from player n to addr.
func (w *world) asked(n int, addr netip.AddrPort) *atomic.Int64 {
	var count atomic.Int64
	w.net.Tap(func(from, to netip.AddrPort, _ []byte) bool {
		if from == playerAddr(n) && to == addr {
			count.Add(1)
		}
		return true
	})
	return &count
}

// Addresses that do not answer cost addressPause each, and one that does is the only one.
func TestSearch(t *testing.T) {
	t.Parallel()
	for silent := range 3 {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 10 * time.Millisecond})
			w.serve()
			began := time.Now()
			c, err := w.dialAny(1, 10*time.Second, append(nowhere[:silent:silent], serverAddr)...)
			if err != nil {
				t.Fatal(err)
			}
			most := time.Duration(silent)*(addressPause+searchInterval) + 200*time.Millisecond
			if took := time.Since(began); took > most {
				t.Errorf("after %d silent addresses it took %v, want at most %v", silent, took, most)
			}
			w.echo(c, "hello")
		})
	}
}

// While an address answers, the next one is left alone.
func TestSearchIsPatient(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 100 * time.Millisecond})
		w.serve()
		asked := w.asked(1, nowhere[0])
		if _, err := w.dialAny(1, 10*time.Second, serverAddr, nowhere[0]); err != nil {
			t.Fatal(err)
		}
		if n := asked.Load(); n != 0 {
			t.Errorf("the second address was asked %d times", n)
		}
	})
}

// A handshake that hears nothing begins anew: the server may have made room for somebody
// else, or have come back in the meantime. One that is only slow goes on.
func TestSearchBeginsAnew(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 10 * time.Millisecond})
		time.AfterFunc(3*time.Second, func() { w.serve() })
		began := time.Now()
		c, err := w.dialAny(1, 10*time.Second, serverAddr)
		if err != nil {
			t.Fatal(err)
		}
		const roundTrips = 5 * 20 * time.Millisecond // of the handshake; engines count differently
		if took := time.Since(began); took > 3*time.Second+attemptTime+roundTrips {
			t.Errorf("it took %v", took)
		}
		w.echo(c, "hello")
	})
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: attemptTime * 2 / 5})
		w.serve(func(c *Config) { c.HandshakeTimeout = time.Minute })
		if _, err := w.dialAny(1, time.Minute, serverAddr); err != nil {
			t.Errorf("with a round trip of %v: %v", attemptTime*4/5, err)
		}
	})
}

// An answer of the server's that belongs to another handshake, or to none, costs the client no more
// than attemptTime, however often it has begun anew before: the cookie in it is wrong, and whoever
// shows a wrong one is not answered.
func TestSearchIsMisled(t *testing.T) {
	t.Parallel()
	for anew := range 5 {
		virtual(t, func(w *world) {
			const latency = 10 * time.Millisecond
			w.net.SetImpairment(netsim.Impairment{Latency: latency})
			w.serve()
			var seen map[[32]byte]bool
			misled, up := time.Time{}, false
			w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
				if from == serverAddr && misled.IsZero() && b[record.HeaderLen] == 3 { // HelloVerifyRequest
					misled = time.Now()
					wrong := slices.Clone(b)
					wrong[len(wrong)-1] ^= 1
					w.net.Inject(from, to, wrong)
				}
				if from != serverAddr && handshake.IsFirstHello(b) && !up {
					if seen == nil {
						seen = map[[32]byte]bool{}
					}
					seen[handshake.Random(b)] = true
					up = len(seen) == anew+1
				}
				return up
			})
			c, err := w.dialAny(1, time.Minute, serverAddr)
			w.net.Tap(nil)
			if err != nil {
				t.Fatal(err)
			}
			if d, most := time.Since(misled), attemptTime+searchInterval+12*latency; d > most {
				t.Errorf("misled after it had begun anew %d times, it took %v, want at most %v", anew, d, most)
			}
			w.echo(c, "hello")
		})
	}
}

// Nobody answers anywhere: ErrTimeout, at the end of ctx.
func TestSearchInVain(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		began := time.Now()
		if _, err := w.dialAny(1, 5*time.Second, nowhere...); !errors.Is(err, ErrTimeout) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// One server's certificate is another's, the next address is right.
func TestSearchPassesImpostor(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		at := netip.MustParseAddrPort("10.0.0.2:7777")
		other := &world{T: t, net: w.net, place: at, authority: testkit.NewAuthority(t), issuer: w.issuer, match: &match{}, audit: &sink{}}
		other.serve()
		defer func() {
			other.server.Close()
			other.serving.Wait()
		}()
		w.serve()
		c, err := w.dialAny(1, 10*time.Second, at, serverAddr)
		if err != nil {
			t.Fatal(err)
		}
		w.echo(c, "hello")
		if _, err := w.dialAny(2, 10*time.Second, at); err == nil || errors.Is(err, ErrTimeout) {
			t.Errorf("an impostor alone: %v", err)
		}
	})
}

// "The first goes to where the server was, the others there and to the addresses that the
// server's name has by then, in turn." PROTOCOL.md 8.3
func TestTarget(t *testing.T) {
	t.Parallel()
	here := netip.MustParseAddrPort("192.0.2.1:1")
	for _, known := range [][]netip.AddrPort{nil, {here}, {nowhere[0]}, {nowhere[0], here, nowhere[1]}} {
		addrs := addresses{known: known}
		seen := make(map[netip.AddrPort]int)
		for attempt := range 12 {
			a := addrs.target(here, attempt)
			if attempt == 0 && a != here {
				t.Errorf("%v: first %v", known, a)
			}
			seen[a]++
		}
		for _, a := range append(known, here) {
			if want := 12 / len(seen); seen[a] != want {
				t.Errorf("%v: %v is tried %d times of 12, want %d", known, a, seen[a], want)
			}
		}
	}
}
