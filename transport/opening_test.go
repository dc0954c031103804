package transport

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/policy"
)

// firstHello is the first datagram of somebody's handshake, with a server that
// goes away again.
func (w *world) firstHello() []byte {
	w.Helper()
	toServer, _ := w.tap(250)
	w.dial(250).Close()
	w.net.Tap(nil)
	synctest.Wait()
	if hello := (*toServer)[0]; handshake.IsFirstHello(hello) {
		return hello
	}
	w.Fatal("the first datagram is no ClientHello")
	return nil
}

// stranger is an address that nobody listens at; there are 200 of them in each
// /24.
func stranger(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{100, byte(i / 200 / 256), byte(i / 200), byte(1 + i%200)}), 5000)
}

// strangers is how many handshakes of strangers are under way at most, in the whole server.
const strangers = defaultMaxHandshakes / 16

// "A slow or dead handshake delays nobody else": 1,000 of them add less than
// 200 ms to a newcomer's, in virtual time nothing at all.
func TestStalledHandshakesDelayNobody(t *testing.T) {
	t.Parallel()
	for _, stalled := range []int{0, 1, 1000} {
		virtual(t, func(w *world) {
			w.serve()
			hello := w.firstHello()
			w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
			for i := range stalled {
				w.net.Inject(stranger(i*200), serverAddr, hello)
				time.Sleep(time.Millisecond)
			}
			synctest.Wait()
			if n := w.server.first().Holdings().HalfOpen; n != min(stalled, strangers) {
				w.Errorf("%d handshakes are stalled, want %d", n, min(stalled, strangers))
			}
			start := time.Now()
			c := w.dial(1)
			if d := time.Since(start); d != 160*time.Millisecond {
				w.Errorf("with %d stalled handshakes Dial takes %v", stalled, d)
			}
			w.echo(c, "hello")
			time.Sleep(defaultHandshakeTimeout)
			synctest.Wait()
			if n, s := w.server.first().Holdings().HalfOpen, w.server.Stats().Handshakes; n != 0 || s.Failed+s.Retries.Sent != uint64(stalled) {
				w.Errorf("%d are left after their time, %+v", n, s)
			}
			w.echo(c, "still here")
		})
	}
}

// "1,024 in all, oldest first to go": the newest is always let in that has proven its address.
func TestMaxHandshakes(t *testing.T) {
	t.Parallel()
	const most = 10
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.MaxHandshakes = most })
		hello := w.firstHello()
		for i := range 5 * most {
			sh := w.server.first()
			w.net.Inject(stranger(i*200), serverAddr, w.server.endpoint.Returned(w.server.clock.now(), stranger(i*200), hello))
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if n := sh.Holdings().HalfOpen; n != min(i+1, most) {
				w.Fatalf("%d handshakes after %d", n, i+1)
			}
			if i >= most && sh.Handshakes.At(udp.Flow{AddrPort: stranger((i - most) * 200)}) != nil {
				w.Fatal("not the oldest one went")
			}
			if sh.Handshakes.At(udp.Flow{AddrPort: stranger(i * 200)}) == nil {
				w.Fatal("the newest one was not let in")
			}
		}
		c := w.dial(1)
		w.echo(c, "hello")
		time.Sleep(10 * time.Second)
		if s := w.server.Stats().Handshakes; s.Started != s.Completed+s.Failed {
			w.Errorf("they do not add up: %+v", s)
		}
	})
}

// "half-open handshakes | 8 for each IPv4 /24 or IPv6 /64" PROTOCOL.md 12. Whoever uses that up keeps
// nobody out who can prove an address, in the same prefix or elsewhere.
func TestMaxUnproven(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.Sources.Burst = 1000 })
		hello := w.firstHello()
		before := w.server.Stats().Handshakes.Started
		neighbour := playerAddr(1).Addr().As4()
		for i := range 100 {
			neighbour[3] = byte(100 + i)
			w.net.Inject(netip.AddrPortFrom(netip.AddrFrom4(neighbour), 1), serverAddr, hello)
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		s := w.server.Stats()
		if n := s.Handshakes.Started - before; n != defaultMaxUnproven || s.Handshakes.Retries.Sent != 100-defaultMaxUnproven {
			w.Errorf("%d handshakes of one prefix, %+v", n, s.Handshakes)
		}
		w.echo(w.dial(2), "from elsewhere")
		start := time.Now()
		w.echo(w.dial(1), "from the same prefix")
		if d := time.Since(start); d > 2*time.Second {
			w.Errorf("the prefix stays shut for %v", d)
		}
		time.Sleep(defaultHandshakeTimeout + time.Second)
		synctest.Wait()
		started := w.server.Stats().Handshakes.Started
		for i := range 2 * defaultMaxUnproven {
			neighbour[3] = byte(100 + i)
			w.net.Inject(netip.AddrPortFrom(netip.AddrFrom4(neighbour), 1), serverAddr, hello)
		}
		synctest.Wait()
		if n := w.server.Stats().Handshakes.Started - started; n != defaultMaxUnproven {
			w.Errorf("%d begin once those have ended: they are still counted, or more are", n)
		}
	})
}

// Who has returned the cookie is not in the way of others of the prefix.
func TestProvenDoNotCount(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.MaxUnproven = 1 })
		for i := range 20 {
			w.echo(w.dial(1, func(c *ClientConfig) {
				c.Token = w.tokens(grantFor(i))
				c.Conn.Close()
				c.Conn = w.socket(netip.AddrPortFrom(playerAddr(1).Addr(), uint16(2000+i)))
			}), "one after the other")
		}
	})
}

// "20 a second, 40 at once" for each prefix.
func TestSourceBudget(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve(func(c *Config) {
			c.Sources = policy.SourceConfig{PerSecond: 2, Burst: 5}
			c.MaxUnproven = 1000
		})
		hello := w.firstHello()
		started := func(prefix, n int) uint64 {
			before := w.server.Stats().Handshakes.Started
			for i := range n {
				w.net.Inject(netip.AddrPortFrom(stranger(200*prefix+i).Addr(), uint16(1+time.Now().Second())), serverAddr, hello)
			}
			synctest.Wait()
			return w.server.Stats().Handshakes.Started - before
		}
		if n := started(1, 50); n != 5 {
			w.Errorf("%d at once, want 5", n)
		}
		if n := started(2, 50); n != 5 {
			w.Errorf("another prefix: %d at once, want 5", n)
		}
		time.Sleep(time.Second)
		if n := started(1, 50); n != 2 {
			w.Errorf("%d a second later, want 2", n)
		}
		if n := w.server.Stats().Handshakes.Retries.Sent; n != 45+45+48 {
			w.Errorf("%d over budget", n)
		}
	})
}

// What is remembered of handshakes that are over does not grow, even if there
// is never a moment without one.
func TestHandshakesLeaveNothing(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		hello := w.firstHello()
		for i := range 600 {
			w.net.Inject(stranger(i), serverAddr, hello)
			time.Sleep(200 * time.Millisecond)
		}
		synctest.Wait()
		sh := w.server.first()
		if n := sh.Holdings().Arrivals; n > 100 || sh.Holdings().HalfOpen > 30 {
			w.Errorf("%d of 600 handshakes are remembered, %d are under way", n, sh.Holdings().HalfOpen)
		}
	})
}
