package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
)

// "Shutdown admits nobody any more, tells every player that the server shuts
// down, calls Leave for each, and closes it." Serve returns ErrServerClosed.
func TestShutdown(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*world, ...func(*Config)) *Server{"Serve": (*world).serve, "Poll": (*world).tick} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				start(w)
				var clients []*Client
				for i := range 10 {
					clients = append(clients, w.dial(i))
				}
				if err := w.server.Shutdown(w.Context()); err != nil {
					w.Error(err)
				}
				left := w.match.left()
				if len(left) != 10 {
					w.Errorf("Leave was called %d times", len(left))
				}
				for _, reason := range left {
					if reason != wire.ReasonShutdown {
						w.Error(reason)
					}
				}
				for _, c := range clients {
					w.closed(w.ending(c), wire.ReasonShutdown)
					w.closed(c.Send(nil), wire.ReasonShutdown)
				}
				w.serving.Wait()
				if w.served != ErrServerClosed {
					w.Errorf("%s returns %v", name, w.served)
				}
				if err := w.server.Serve(Handler{}); err != ErrServerClosed {
					w.Errorf("a later Serve returns %v", err)
				}
				if _, err := w.server.Poll(Handler{}); err != ErrServerClosed {
					w.Errorf("a later Poll returns %v", err)
				}
				if err := w.server.Close(); err != ErrServerClosed {
					w.Errorf("a later Close returns %v", err)
				}
				if n := w.audited("close"); n != 10 {
					w.Errorf("%d records of 10 ends", n)
				}
				w.server.Broadcast([]byte("nobody hears"))
				w.server.Flush()
				w.match.player(0).Kick(wire.ReasonKicked)
			})
		})
	}
}

// "Close ends everything at once and returns when nothing runs any more. It says
// nothing to players": with handshakes, verifications and players under way.
func TestClose(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.Sources.Burst = 1000 })
		hello := w.firstHello()
		c := w.dial(1)
		for i := range 10 {
			w.net.Inject(stranger(i*200), serverAddr, hello)
		}
		synctest.Wait()
		if err := w.server.Close(); err != nil {
			w.Error(err)
		}
		w.serving.Wait()
		if err := w.served; err != ErrServerClosed {
			w.Error(err)
		}
		if left := w.match.left(); len(left) != 1 { // the one of firstHello
			w.Errorf("Leave was called: %v", left)
		}
		if err := w.ending(c); !errors.Is(err, ErrTimeout) {
			w.Errorf("the player was told: %v", err)
		}
	})
}

// Close ends a Verify that waits, through its context.
func TestCloseDuringVerification(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.Verifier = stalled{} })
		time.AfterFunc(time.Second, func() { w.server.Close() })
		ctx, cancel := context.WithTimeout(w.Context(), 3*time.Second)
		defer cancel()
		_, err := w.try(1, func(c *ClientConfig) {
			token := c.Token
			c.Token = func(context.Context) ([]byte, error) { return token(ctx) }
		})
		if !errors.Is(err, ErrTimeout) {
			w.Error(err)
		}
	})
}

// "ErrServing is returned by Serve and Poll while another goroutine is in one of
// them."
func TestServing(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s := w.serve()
		synctest.Wait()
		if err := s.Serve(Handler{}); err != ErrServing {
			w.Errorf("Serve: %v", err)
		}
		if _, err := s.Poll(Handler{}); err != ErrServing {
			w.Errorf("Poll: %v", err)
		}
	})
	virtual(t, func(w *world) {
		within := errors.New("not called")
		w.match.onJoin = func() { _, within = w.server.Poll(Handler{}) }
		w.tick()
		w.dial(1)
		if within != ErrServing {
			w.Errorf("Poll within Poll: %v", within)
		}
	})
}

// "Serve and Poll return ErrServerClosed while it is at work": a match that polls is not told that another
// goroutine is in Poll.
func TestPollDuringShutdown(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s := w.listen()
		turns := s.first().Turns
		turns.Begin(nil)
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(w.Context()) }()
		synctest.Wait()
		if _, err := s.Poll(Handler{}); err != ErrServerClosed {
			t.Errorf("Poll returns %v", err)
		}
		turns.End()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// "Kick ends the player's session soon: CLOSE with the reason is sent, and Leave
// is called in the next turn", once, whoever else ends it.
func TestKick(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1)
		synctest.Wait()
		p := w.match.player(0)
		p.Kick(wire.ReasonKicked)
		p.Kick(wire.ReasonShutdown)
		w.closed(w.ending(c), wire.ReasonKicked)
		if left := w.match.left(); len(left) != 1 || left[0] != wire.ReasonKicked {
			w.Error(left)
		}
		if err := p.Send(nil); err != ErrGone {
			w.Errorf("Send: %v", err)
		}
		if p.Addr() != playerAddr(1) || p.Session().Subject() != "player 1" {
			w.Error(p.Addr(), p.Session().Subject())
		}
		time.Sleep(time.Minute)
		p.Kick(wire.ReasonKicked)
		synctest.Wait()
		if left := w.match.left(); len(left) != 1 {
			w.Error(left)
		}
		c.Close()
		w.echo(w.dial(1), "again")
	})
}

// "Revoke makes the session's next datagram the last: it is dropped, and the
// player is told once."
func TestRevoke(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]func(w *world) int{
		"session": func(w *world) int {
			s, ok := w.server.Session(w.match.player(0).Session().ID())
			if !ok || !s.Revoke() || s.Revoke() {
				w.Error("not found, or not once")
			}
			return 1
		},
		"subject": func(w *world) int {
			s := w.match.player(0).Session()
			return w.server.RevokeSubject(s.Issuer(), s.Subject())
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve()
				c, other := w.dial(1), w.dial(2)
				synctest.Wait()
				if n := revoke(w); n != 1 {
					w.Errorf("%d revoked", n)
				}
				for range 3 {
					_ = c.Send([]byte("late"))
				}
				w.closed(w.ending(c), wire.ReasonRevoked)
				if n := w.match.count("late"); n != 0 {
					w.Errorf("%d datagrams came through", n)
				}
				if s := w.server.Stats(); s.Drops["revoked"] == 0 || s.Sessions != 1 {
					w.Errorf("%+v", s)
				}
				if n := w.audited("revoke"); n != 1 {
					w.Errorf("%d records: %+v", n, w.audit.all())
				}
				w.echo(other, "here")
			})
		})
	}
	t.Run("without traffic", func(t *testing.T) {
		virtual(t, func(w *world) {
			w.serve()
			c := w.dial(1, quietClient)
			synctest.Wait()
			start := time.Now()
			w.match.player(0).Session().Revoke()
			w.closed(w.ending(c), wire.ReasonRevoked)
			if d := time.Since(start); d > noticed {
				w.Errorf("after %v", d)
			}
		})
	})
}

// "SetCertificate presents cert in every handshake that begins from now on", and who is here stays.
func TestSetCertificate(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		before, old, next := w.dial(1), w.authority, testkit.NewAuthority(w)
		for i, cert := range []*tls.Certificate{next.Server(w), next.Server(w)} {
			if err := w.server.SetCertificate(*cert); err != nil {
				w.Fatal(err)
			}
			w.authority = next
			after := w.dial(2)
			w.echo(after, "new")
			after.Close()
			w.authority = old
			if _, err := w.try(3 + i); !errors.Is(err, ErrHandshake) {
				w.Errorf("a client that trusts the old authority: %v", err)
			}
			w.echo(before, "old")
		}
		if err := w.server.SetCertificate(tls.Certificate{}); err != errNoCertificate {
			w.Error(err)
		}
		swapped := *next.Server(w) // "whose key is another's": the new certificate, and the old key
		swapped.PrivateKey = next.Server(w).PrivateKey
		rotated := w.audited("key rotation")
		if err := w.server.SetCertificate(swapped); !errors.Is(err, handshake.ErrConfig) {
			w.Errorf("a key of another certificate: %v", err)
		}
		if n := w.audited("key rotation"); n != rotated {
			w.Error("a refused certificate is on record as if it were shown")
		}
		w.authority = next // "the one in use stays"
		w.echo(w.dial(9), "new")
		w.authority = old
		if s := w.server.Stats(); s.Sessions != 2 {
			w.Errorf("%+v", s)
		}
	})
}
