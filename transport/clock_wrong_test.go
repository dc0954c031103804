package transport

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/session"
)

// A server whose wall clock is wrong for ten minutes, by whatever, puts nobody out, and lets nobody in
// who is banned, or whose token has been used, neither then nor when the clock is right again.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	off := func(d time.Duration) func(time.Time) time.Time {
		return func(now time.Time) time.Time { return now.Add(d) }
	}
	for name, wrong := range map[string]func(now time.Time) time.Time{
		"an hour ahead": off(time.Hour), "an hour behind": off(-time.Hour), "ten years ahead": off(10 * year), "ten years behind": off(-10 * year),
		"stands still": func(time.Time) time.Time { return time.Unix(946684800, 0) },
		"runs thrice":  func(now time.Time) time.Time { return now.Add(2 * now.Sub(time.Unix(946684800, 0))) },
		"to and fro":   func(now time.Time) time.Time { return now.Add(time.Hour * time.Duration(now.Unix()/90%3-1)) },
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				s := w.listen()
				var broken atomic.Bool
				s.clock.wall = func() time.Time {
					if now := time.Now().Round(0); !broken.Load() {
						return now
					}
					return wrong(time.Now().Round(0))
				}
				w.serving.Go(func() { w.served = s.Serve(w.match.handler()) })
				c := w.dial(1)
				raw := []byte(w.issuer.Token(w, grantFor(2)))
				used := func(c *ClientConfig) {
					c.Token = func(context.Context) ([]byte, error) { return raw, nil }
				}
				w.dial(2, used).Close()
				if _, err := s.Ban(session.Ban{Issuer: w.match.player(0).Session().Issuer(), Subject: "player 3", Until: time.Now().Add(3 * time.Hour)}); err != nil {
					t.Fatal(err)
				}
				refused := func(when string) {
					t.Helper()
					for n, configure := range map[int]func(*ClientConfig){2: used, 3: func(*ClientConfig) {}} {
						if c, err := w.try(n, configure); err == nil {
							t.Errorf("%s: player %d is in again", when, n)
							c.Close()
						}
					}
				}
				play := func(long time.Duration) {
					for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(5 * time.Second) {
						w.echo(c, "here")
					}
				}
				broken.Store(true)
				play(5 * time.Minute)
				refused("meanwhile")
				play(5 * time.Minute)
				broken.Store(false)
				play(3 * time.Minute)
				refused("afterwards")
				play(time.Hour)
				refused("an hour later")
				synctest.Wait()
				if left := w.match.left(); len(left) != 1 { // player 2
					t.Errorf("left: %v", left)
				}
				if n := w.audited("alarm"); n == 0 || n > 10 {
					t.Errorf("%d alarms", n)
				}
			})
		})
	}
}
