package admin

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// leaving is a server that players leave.
type leaving struct {
	Server
	sessions atomic.Int64
	ended    atomic.Bool
}

func (s *leaving) Stats() transport.Stats { return transport.Stats{Sessions: int(s.sessions.Load())} }

func (s *leaving) Shutdown(context.Context) error {
	s.ended.Store(true)
	return nil
}

// A server that closes "waits at most until whoever follows the drain has asked again", if it had players: its program ends
// behind it.
func TestFollowerHearsOfClosing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		players int64
		asks    time.Duration // after the last player has left; 0 if it waits already
		hears   DrainState
	}{
		"waits":             {1, 0, Closing},
		"between requests":  {1, tellTime - time.Millisecond, Closing},
		"too late":          {1, tellTime + 2*drainEvery, Closed},
		"nobody has played": {0, time.Millisecond, Closed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := new(leaving)
				s.sessions.Store(tc.players)
				d := new(Drain)
				d.begin(&api{config: Config{Server: s, ShutdownTime: time.Second}}, time.Now().Add(time.Hour), "")
				time.Sleep(time.Minute + drainEvery/2)
				leave := func() { s.sessions.Store(0) }
				if tc.asks == 0 {
					time.AfterFunc(time.Second, leave)
				} else {
					leave()
					time.Sleep(tc.asks)
				}
				ctx, cancel := context.WithTimeout(t.Context(), maxWait)
				defer cancel()
				d.await(ctx, Draining)
				if state := d.status().State; state != tc.hears || s.ended.Load() != (tc.hears == Closed) {
					t.Errorf("it hears %s, and the server has ended: %v", state, s.ended.Load())
				}
				time.Sleep(2 * drainEvery)
				if !s.ended.Load() {
					t.Error("the server goes on once the follower has heard")
				}
			})
		})
	}
}
