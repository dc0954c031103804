package transport

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// noticed is how late, at most, the server looks at a time limit when nothing
// arrives: "sweepInterval is how often a connection's time limits are looked
// at", and Serve wakes four times as often.
const noticed = dtls.SweepInterval + dtls.SweepInterval/4

// "With the first accepted datagram of the new epoch the server sends in it."
// Renewals lose nothing, however often epochs change, on a path that reorders.
func TestRenewalsLoseNothing(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 80 * time.Millisecond, Jitter: 40 * time.Millisecond, Reorder: 0.2})
		w.serve()
		n := 18_000 // five hours
		if testing.Short() {
			n /= 10
		}
		sink := make(chan int)
		c := w.dial(1)
		go func() {
			got := 0
			for b := make([]byte, 64); got < n; got++ {
				if _, err := c.Receive(w.Context(), b); err != nil {
					break
				}
			}
			sink <- got
		}()
		for i := range n {
			if err := c.Send(fmt.Append(nil, i)); err != nil {
				w.Fatal(i, err)
			}
			time.Sleep(time.Second)
		}
		select {
		case got := <-sink:
			if got != n {
				w.Errorf("%d of %d came back", got, n)
			}
		case <-time.After(time.Minute):
			c.Close()
			w.Errorf("only %d of %d came back: %+v", <-sink, n, w.server.Stats())
		}
		if renewals := w.audited("renew"); renewals < n/60/15 {
			w.Errorf("%d renewals in %d seconds", renewals, n)
		}
		w.quiet()
	})
}

// A RENEW is repeated until it is answered, and a lost RENEWED sent again.
func TestRenewalOverBadPath(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.Session.Idle = time.Hour })
		c := w.dial(1)
		w.net.SetImpairment(netsim.Impairment{Latency: 50 * time.Millisecond, Loss: 0.3, Duplicate: 0.2, Reorder: 0.2})
		played := 4 * time.Hour
		if testing.Short() {
			played /= 4
		}
		time.Sleep(played)
		w.net.SetImpairment(netsim.Impairment{})
		time.Sleep(time.Second)
		for range c.inbox.count {
			w.receive(c)
		}
		w.echo(c, "still here")
		w.quiet()
	})
}

// "The session is live: ... not past its expiry": a session expires with its
// token, to the instant, while datagrams come.
func TestExpiryWithTraffic(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.Session.Idle = time.Hour })
		ends := time.Now().Add(time.Minute)
		c := w.dial(1, quietClient, func(c *ClientConfig) {
			c.Token = w.once(token.Grant{Subject: "alice", Scope: "match", Life: time.Minute})
		})
		if !c.Expires().Equal(ends) {
			w.Errorf("Expires says %v, want %v", c.Expires(), ends)
		}
		time.Sleep(time.Until(ends.Add(-5 * time.Millisecond)))
		for range 5 {
			w.echo(c, "before")
			time.Sleep(time.Millisecond - 1)
		}
		time.Sleep(time.Until(ends.Add(-1)))
		w.echo(c, "last")
		time.Sleep(time.Nanosecond)
		if err := c.Send([]byte("late")); err != nil {
			w.Error(err)
		}
		w.closed(w.ending(c), wire.ReasonExpired)
		if now := time.Now(); !now.Equal(ends) || w.match.count("late") != 0 {
			w.Errorf("it ends %v after its expiry, and then %d came through", now.Sub(ends), w.match.count("late"))
		}
		if left := w.match.left(); len(left) != 1 || left[0] != wire.ReasonExpired {
			w.Error(left)
		}
	})
}

// The leeway is the server's to grant.
func TestExpiryWithoutTraffic(t *testing.T) {
	t.Parallel()
	for _, leeway := range []time.Duration{0, 10 * time.Second} {
		virtual(t, func(w *world) {
			w.serve(func(c *Config) { c.Session.Leeway, c.Session.Idle = leeway, time.Hour })
			ends := time.Now().Add(time.Minute + leeway)
			c := w.dial(1, quietClient, func(c *ClientConfig) {
				c.Token = w.once(token.Grant{Subject: "alice", Scope: "match", Life: time.Minute})
			})
			time.Sleep(time.Until(ends) - 1)
			w.quiet()
			w.closed(w.ending(c), wire.ReasonExpired)
			if late := time.Since(ends); late < 0 || late > noticed {
				w.Errorf("it ends %v after its expiry", late)
			}
		})
	}
}

// "A client should renew when a third of the epoch's life is left, or earlier",
// and goes on asking when no token could be had: each refusal is told.
func TestRenewalWithoutToken(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		var refused atomic.Int64
		var outage atomic.Bool
		w.pace = time.Second / 2
		w.serve()
		c := w.dial(1, func(c *ClientConfig) {
			mint := c.Token
			c.Token = func(ctx context.Context) ([]byte, error) {
				if outage.Load() {
					return nil, errors.New("outage")
				}
				return mint(ctx)
			}
			c.OnEvent = func(ev ClientEvent) {
				if ev.Kind == EventNoToken {
					refused.Add(1)
				}
			}
		})
		outage.Store(true)
		time.Sleep(12 * time.Minute)
		outage.Store(false)
		if n := refused.Load(); n < 40 || n > 5*60 {
			w.Errorf("%d refusals", n)
		}
		time.Sleep(time.Hour)
		w.echo(c, "still here")
	})
}

// "A client that has nothing else to send MUST send a PING before the idle time is over." PROTOCOL.md 3.6: a player who
// sends nothing stays, however short the idle time is, and also where a PING is lost now and then.
func TestQuietPlayerStays(t *testing.T) {
	t.Parallel()
	for _, idle := range []time.Duration{3 * time.Second, 5 * time.Second, 12 * time.Second} {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 50 * time.Millisecond, Loss: 0.1})
			w.serve(func(c *Config) { c.Session.Idle = idle })
			c := w.dial(1)
			time.Sleep(5 * time.Minute)
			if err := c.progress.over(); err != nil {
				w.Errorf("with an idle time of %v: %v", idle, err)
			}
			w.quiet()
		})
	}
}

// "A session from which nothing has been accepted for the idle time ends with
// CLOSE reason 17."
func TestIdle(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1, quietClient)
		time.Sleep(session.DefaultIdle - time.Second)
		w.echo(c, "here")
		start := time.Now()
		time.Sleep(session.DefaultIdle - 1)
		w.quiet()
		w.closed(w.ending(c), wire.ReasonIdle)
		if late := time.Since(start) - session.DefaultIdle; late > noticed {
			w.Errorf("%v late", late)
		}
	})
}

// "silence [ends] only the connection": a client whose server has gone says so.
func TestServerFallsSilent(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.serve()
		c := w.dial(1)
		w.net.SetImpairment(netsim.Impairment{Loss: 1})
		start := time.Now()
		if err := w.ending(c); err != ErrTimeout {
			w.Error(err)
		}
		if d := time.Since(start); d < session.DefaultIdle || d > session.DefaultIdle+5*time.Second {
			w.Errorf("after %v", d)
		}
		if err := c.Send(nil); err != ErrTimeout {
			w.Error(err)
		}
	})
}

// audited counts the records of one decision.
func (w *world) audited(decision string) (n int) {
	for _, e := range w.audit.all() {
		if e.Decision.String() == decision {
			n++
		}
	}
	return n
}
