package transport

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/wire"
)

// An account that plays is not put out by another who has its tokens, however often that one tries, and however long the
// server's turns are.
func TestActiveStays(t *testing.T) {
	t.Parallel()
	for _, turn := range []time.Duration{time.Second / 60, 3 * time.Second} {
		virtual(t, func(w *world) {
			s := w.listen(func(c *Config) { c.Session.MaxPerSubject = 1 })
			w.match.mute = true
			w.serving.Go(func() {
				for h := w.match.handler(); w.served == nil; {
					_, w.served = s.Poll(h)
					s.Flush()
					if s.gate.Len() == 0 {
						time.Sleep(time.Second / 60)
					} else {
						time.Sleep(turn)
					}
				}
			})
			p := w.stay(1, w.mallory, func(c *ClientConfig) { c.Session.Probe = -1 })
			for i := range 6 {
				if _, err := w.try(2+i, w.mallory); err == nil {
					w.Errorf("turns of %v: somebody is let in", turn)
				}
			}
			w.quiet()
			p.quit()
		})
	}
}

// The session that gives way may live on another shard than the newcomer. Real sockets, four to a port.
func TestGivesWayOnAnotherShard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.close()
	s := w.serve(func(c *Config) { c.Shards, c.Session.MaxPerSubject = 4, 1 })
	const accounts = 8
	var silent [accounts]*Client
	for i := range silent {
		silent[i] = w.dial(i, quietClient)
		w.echo(silent[i], "here")
	}
	time.Sleep(4 * time.Second)
	late := 0 // each dial follows a sweep, and whom nobody wakes waits for the next
	for i, c := range silent {
		w.echo(w.dial(i), "in its place")
		start := time.Now()
		w.closed(w.ending(c), wire.ReasonReplaced)
		if time.Since(start) > dtls.SweepInterval/2 {
			late++
		}
	}
	if late > accounts/2 {
		w.Errorf("%d of %d are told with the next sweep", late, accounts)
	}
	if n := s.gate.Len(); n != accounts {
		w.Errorf("%d sessions", n)
	}
}
