package transport

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

// A transfer of 1 MB takes what a line of 2 Mbit/s gives, also where only ticks of 60 Hz send.
func TestBulk(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(w *world, c ...func(*Config)) *Server{"Serve": (*world).serve, "Poll": (*world).tick} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond, Bandwidth: 2_000_000})
				run(w, allLanes)
				c := w.dial(1, withLanes)
				l := newLedger("client")
				defer w.reads(c, l)()
				p, start := w.match.player(0), time.Now()
				const size = 1 << 20
				if _, err := p.SendMessage(laneBulk, letterOf(laneBulk, 1, size)); err != nil {
					w.Fatal(err)
				}
				for p.Delivered(laneBulk) == 0 && time.Since(start) < time.Minute {
					time.Sleep(time.Millisecond)
				}
				if rate := size * 8 / time.Since(start).Seconds(); rate < 0.85*2_000_000 {
					w.Errorf("%.2f Mbit/s", rate/1e6)
				}
				l.all(w, laneBulk, 1)
			})
		})
	}
}
