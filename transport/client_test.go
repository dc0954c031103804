package transport

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// "Receive waits for the next payload and copies it to b. It returns
// io.ErrShortBuffer when b is too short, ctx's error when ctx ends first, and after the end of
// the session ... net.ErrClosed."
func TestReceive(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.serve()
		c := w.dial(1)
		for _, text := range []string{"too long", "next"} {
			if err := c.Send([]byte(text)); err != nil {
				w.Fatal(err)
			}
		}
		if n, err := c.Receive(w.Context(), make([]byte, 7)); n != 0 || err != io.ErrShortBuffer {
			w.Error(n, err)
		}
		if got := w.receive(c); got != "next" {
			w.Error(got)
		}
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := c.Receive(ctx, nil); err != context.DeadlineExceeded || time.Since(start) != time.Second {
			w.Error(err, time.Since(start))
		}
		_ = c.Send([]byte("in the inbox"))
		synctest.Wait()
		time.AfterFunc(time.Second, func() { c.Close() })
		if got := w.receive(c); got != "in the inbox" {
			w.Error(got)
		}
		if err := w.ending(c); !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "transport: ") {
			w.Error(err)
		}
		if err := c.Send(nil); !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "transport: ") {
			w.Error(err)
		}
		if err := c.Close(); err != nil {
			w.Errorf("a second Close: %v", err)
		}
		synctest.Wait()
		if left := w.match.left(); len(left) != 1 || left[0] != wire.ReasonLeft {
			w.Errorf("the server was told %v", left)
		}
	})
}

// "receiveQueue is how many payloads wait for a client's Receive; then the
// oldest goes", and is counted.
func TestOverrun(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.serve()
		c := w.dial(1)
		synctest.Wait()
		for i := range receiveQueue + 10 {
			_ = w.match.player(0).Send([]byte{byte(i / 256), byte(i)})
		}
		synctest.Wait()
		if s := c.Stats(); s.Overrun != 10 || s.Received != receiveQueue+10 {
			w.Errorf("%+v", s)
		}
		for i := range receiveQueue {
			if got := w.receive(c); got != string([]byte{byte((i + 10) / 256), byte(i + 10)}) {
				w.Fatalf("%d: %x", i, got)
			}
		}
	})
}

// "Its methods are safe for concurrent use": several wait in Receive, and every
// payload wakes one.
func TestReceiveConcurrently(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.serve()
		c := w.dial(1)
		synctest.Wait()
		const readers = 10
		var wg sync.WaitGroup
		for range readers {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(w.Context(), time.Second)
				defer cancel()
				if _, err := c.Receive(ctx, make([]byte, 10)); err != nil {
					w.Error(err)
				}
			})
		}
		synctest.Wait()
		for range readers { // they come together, and wake one
			c.inbox.push([]byte("payload"))
		}
		c.inbox.announce()
		wg.Wait()
	})
}

// "The error is a *CloseError when the server refuses, ErrTimeout when it does not answer,
// ErrHandshake when DTLS fails, ErrConfig, or what ClientConfig.Token returned." A
// Dial that fails leaves nothing behind: the bubble would tell.
func TestDialErrors(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		wrong := errors.New("signed out")
		for name, test := range map[string]struct {
			configure func(*ClientConfig)
			want      error
		}{
			"token":     {func(c *ClientConfig) { c.Token = func(context.Context) ([]byte, error) { return nil, wrong } }, wrong},
			"no token":  {func(c *ClientConfig) { c.Token = nil }, ErrConfig},
			"authority": {func(c *ClientConfig) { c.RootCAs = x509.NewCertPool() }, ErrHandshake},
			"name":      {func(c *ClientConfig) { c.ServerName = "example.com" }, ErrHandshake},
			"address":   {func(c *ClientConfig) { c.ServerName = "10.0.0.1" }, ErrHandshake},
			"platform":  {func(c *ClientConfig) { c.Session.Fingerprint.Platform = strings.Repeat("x", 129) }, session.ErrConfig},
			"window":    {func(c *ClientConfig) { c.Session.Window = 63 }, ErrConfig},
		} {
			var conn io.Closer
			_, err := w.try(len(name), func(c *ClientConfig) { test.configure(c); conn = c.Conn })
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				w.Errorf("%s: %v, want %v", name, err, test.want)
			}
			conn.Close()
			time.Sleep(10 * time.Second)
		}
		w.server.Close()
		start := time.Now()
		if _, err := w.try(9); !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			w.Errorf("server gone: %v after %v", err, time.Since(start))
		}
	})
}

// "BEARER ... is good only where the server is configured for it": the token
// itself in every datagram, across renewals.
func TestBearer(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.pace = time.Second / 2
		w.serve(func(c *Config) { c.Session.AllowBearer = true })
		c := w.dial(1, func(c *ClientConfig) { c.Session.Bearer = true })
		for range 60 {
			w.echo(c, "hello")
			time.Sleep(time.Minute)
		}
		if w.audited("renew") < 4 {
			w.Error(w.audit.all())
		}
		most := c.MaxPayload()
		w.echo(c, string(make([]byte, most)))
		if err := c.Send(make([]byte, most+1)); err != session.ErrBearerTooLarge {
			w.Error(most, err)
		}
	})
	both(t, func(w *world) {
		w.match.mute = true
		w.serve()
		c := w.dial(1, func(c *ClientConfig) { c.Session.Bearer = true })
		_ = c.Send([]byte("hello"))
		synctest.Wait()
		if d := w.server.Stats().Drops["state"]; d != 1 || w.match.count("hello") != 0 {
			w.Errorf("%+v", w.server.Stats())
		}
	})
}

// "Binding mode none exists for engines whose DTLS hides the exporter; the server
// refuses it unless configured."
func TestUnbound(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.Session.AllowUnbound = true })
		w.echo(w.dial(1, func(c *ClientConfig) { c.Session.Unbound = true }), "hello")
	})
}

// What a client states of itself is what the match sees.
func TestSessionOfPlayer(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.Session.Scope = "match" })
		f := session.Fingerprint{Platform: "linux", Build: "1.4.2"}
		w.dial(1, func(c *ClientConfig) {
			c.Session.Fingerprint, c.Session.Scope = f, "match"
			c.Token = w.tokens(token.Grant{Subject: "alice", Scope: "match", Platform: "linux", Build: "1.4.2"})
		})
		synctest.Wait()
		s := w.match.player(0).Session()
		if s.Subject() != "alice" || s.Scope() != "match" || s.Fingerprint() != f || time.Until(s.Expires()) != 15*time.Minute {
			w.Errorf("%+v", s)
		}
	})
}
