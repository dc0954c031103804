package gateway

import (
	"context"
	"testing"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// Whoever lives here is renewed and resumed whatever the backend does; newcomers wait, each with a reason
// after which they may come again.
func TestAdmits(t *testing.T) {
	play(t, func(c *Config) { c.MaxPlayers = 1 }, func(t *testing.T, s *scene) {
		ready := func() {}
		away := func() { s.game.away.Store(true) }
		full := func() { s.players.Add(1) }
		drains := func() { s.draining.Store(true) }
		for _, c := range []struct {
			name                          string
			do                            func()
			opening, elsewhere, livesHere session.Reason
		}{
			{"ready", ready, 0, 0, 0},
			{"away", away, session.ReasonUnavailable, session.ReasonUnavailable, 0},
			{"full", full, session.ReasonFull, 0, 0},
			{"drains", drains, session.ReasonShutdown, 0, 0},
		} {
			s.game.away.Store(false)
			s.draining.Store(false)
			s.players.Store(0)
			c.do()
			for why, want := range map[session.Purpose]session.Reason{
				session.Opening: c.opening, session.ResumingElsewhere: c.elsewhere, session.Renewing: c.livesHere, session.Resuming: c.livesHere,
			} {
				var got session.Reason
				if err := s.admits(why); err != nil {
					got = session.Reason(err.(session.Refusal))
				}
				if got != want {
					t.Errorf("%s, %v: %d, want %d", c.name, why, got, want)
				}
			}
		}
		s.players.Store(0)
	})
}

// A session is renewed while the backend is gone.
func TestRenewedWhileAway(t *testing.T) {
	play(t, func(c *Config) { c.Hold = time.Hour }, func(t *testing.T, s *scene) {
		renewed := make(chan struct{}, 16)
		c := s.join(t, "alice", func(c *transport.ClientConfig) {
			c.Token = func(context.Context) ([]byte, error) {
				return []byte(s.issuer.Token(t, token.Grant{Subject: "alice", Life: time.Minute})), nil
			}
			c.OnEvent = func(e transport.ClientEvent) {
				if e.Kind == transport.EventRenewed {
					renewed <- struct{}{}
				}
			}
		})
		s.game.away.Store(true)
		for range 3 {
			<-renewed
		}
		if err := c.Send([]byte("x")); err != nil {
			t.Error(err)
		}
	})
}
