package transport

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// "Behaviour past the revocation line revokes the session." PROTOCOL.md 4.10.
// With the defaults a bot is out within a second; who plays at 60/s beside it
// lives.
func TestBot(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{800, 2000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve()
				stop := w.crowd(3)
				c := w.dial(1)
				began := time.Now()
				sent, err := 0, error(nil)
				for ; err == nil && sent < 3*rate; sent++ {
					time.Sleep(time.Second / time.Duration(rate))
					err = c.Send(fmt.Append(nil, "bot ", sent))
				}
				took := time.Since(began)
				if e, ok := err.(*CloseError); !ok || e.Reason != wire.ReasonRate && e.Reason != wire.ReasonRevoked {
					w.Errorf("the bot: %v", err)
				}
				if took > time.Second {
					w.Errorf("it took %v and %d inputs, want a second at most", took, sent)
				}
				if got := w.revocations(); len(got) != 1 {
					w.Errorf("revocations audited: %v", got)
				}
				w.Logf("%v after %v and %d inputs, audited %v", err, took, sent, w.revocations())
				stop()
				if left := w.match.left(); len(left) != 1 {
					w.Errorf("left: %v", left)
				}
			})
		})
	}
}

// A stalled path delivers in clumps: after two seconds of silence two seconds'
// inputs of the fastest game come at once, on top of those that follow, again
// and again. Nobody is put out for that, and nothing of it is dropped.
func TestStalledPath(t *testing.T) {
	t.Parallel()
	const tick, stall = 128, 2
	virtual(t, func(w *world) {
		w.serve()
		stop := w.crowd(3)
		c := w.dial(1)
		send := func(pause time.Duration) {
			if err := c.Send([]byte("input")); err != nil {
				w.Fatal(err)
			}
			time.Sleep(pause)
		}
		for range 10 {
			for range 4 * tick {
				send(time.Second / tick)
			}
			time.Sleep(stall * time.Second)
			for range stall * tick {
				send(0)
			}
		}
		stop()
		if n := w.match.count("input"); n != 10*(4+stall)*tick {
			w.Errorf("%d of %d inputs delivered", n, 10*(4+stall)*tick)
		}
		w.quiet()
	})
}
