package transport

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
)

// evict has a server forget its handshakes, as when it makes room.
func (w *world) evict() {
	sh := w.server.first()
	done := make(chan struct{})
	sh.Post(posted(func(time.Time) {
		sh.Handshakes.ForgetAll()
		close(done)
	}))
	<-done
}

// "A client gives a connection up on which nothing has arrived for 1.5 s before it has sent HELLO"
// PROTOCOL.md 5.1: however often the server drops the handshake, and after whatever datagram of it,
// Dial is through as soon as it is left alone.
func TestEvictedDialBeginsAnew(t *testing.T) {
	t.Parallel()
	const latency = 20 * time.Millisecond
	for after := range 7 {
		for times := 1; times <= 4; times++ {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: latency})
				w.serve()
				seen, evicted := 0, 0
				w.net.Tap(func(_, _ netip.AddrPort, b []byte) bool {
					if !dtls.IsHandshake(b) || evicted == times {
						return true
					}
					if seen++; seen > after {
						seen = 0
						evicted++
						go w.evict()
						return false
					}
					return true
				})
				began := time.Now()
				c, err := w.try(1)
				w.net.Tap(nil)
				if err != nil {
					t.Fatalf("evicted %d times after %d datagrams: %v after %v", times, after, err, time.Since(began))
				}
				// The engines' own repetitions may be in between.
				if d, most := time.Since(began), time.Duration(times)*(attemptTime+time.Second)+time.Second; d > most {
					t.Errorf("evicted %d times after %d datagrams: it took %v, want at most %v", times, after, d, most)
				}
				w.echo(c, "hello")
			})
		}
	}
}

// "A client MUST NOT show an identity token that HELLO has shown on another connection"
// PROTOCOL.md 5.1. The server may have accepted it, and the WELCOME be lost with the connection:
// Dial asks for another one, and is let in with that.
func TestHelloUnanswered(t *testing.T) {
	t.Parallel()
	for name, reached := range map[string]bool{"HELLO lost": false, "WELCOME lost": true} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				w.serve()
				var asked atomic.Int32
				began := time.Now()
				w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool {
					lost := asked.Load() == 1 && b[0] == byte(record.ApplicationData) && (from == serverAddr || !reached)
					return !lost
				})
				c, err := w.tryFor(20*time.Second, 1, func(c *ClientConfig) {
					next := c.Token
					c.Token = func(ctx context.Context) ([]byte, error) { asked.Add(1); return next(ctx) }
				})
				if err != nil {
					t.Fatal(err)
				}
				w.net.Tap(nil)
				if d := time.Since(began); asked.Load() != 2 || d > helloPatience+time.Second {
					t.Errorf("%d tokens, it took %v", asked.Load(), d)
				}
				w.echo(c, "hello")
			})
		})
	}
}

// "and SHOULD NOT give the connection up before it has that." PROTOCOL.md 5.1
func TestHelloAnsweredLate(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		w.serve()
		began := time.Now()
		w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool {
			return time.Since(began) > 9*time.Second || b[0] != byte(record.ApplicationData) || from != serverAddr
		})
		c, err := w.tryFor(20*time.Second, 1, func(c *ClientConfig) { c.Token = w.once(grantFor(1)) })
		if err != nil {
			t.Fatal(err)
		}
		w.net.Tap(nil)
		w.echo(c, "hello")
		if n := w.server.Stats().Handshakes.Started; n != 1 {
			t.Errorf("%d handshakes", n)
		}
	})
}

// "After HELLO it MUST wait longer than the server may take for its verdict" PROTOCOL.md 5.1
func TestVerdictIsWaitedFor(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		w.serve(func(c *Config) { c.Verifier = stalled{} })
		asked := 0
		_, err := w.try(1, func(c *ClientConfig) {
			next := c.Token
			c.Token = func(ctx context.Context) ([]byte, error) { asked++; return next(ctx) }
		})
		if w.closed(err, wire.ReasonBusy); asked != 1 {
			t.Errorf("%d tokens", asked)
		}
	})
}

// A server that goes in the middle of it costs Dial no more than ctx, and no processor: nothing is due while a handshake
// is under way.
func TestHelloInVain(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		gone := false
		w.net.Tap(func(_, _ netip.AddrPort, b []byte) bool {
			gone = gone || b[0] == byte(record.ApplicationData)
			return !gone
		})
		began := time.Now()
		if _, err := w.tryFor(30*time.Second, 1); !errors.Is(err, ErrTimeout) || time.Since(began) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		synctest.Wait()
		w.net.Tap(nil)
	})
}
