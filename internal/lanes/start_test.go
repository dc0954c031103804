package lanes

import (
	"testing"
	"time"
)

// Datagrams that are late while nothing waits for the rate are no queue of ours: a transfer that
// begins after them still doubles its window.
func TestLateDatagramsDoNotEndTheStart(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		p := path{latency: 50 * time.Millisecond, reorder: 0.30, reorderBy: 40 * time.Millisecond, rate: 2_000_000, queue: 250 * time.Millisecond}
		w := newWorld(t, seed)
		a, _ := w.pair(table(t, Lane{Mode: Reliable}), p, p)
		a.tick(time.Second/60, seconds(6), func() { _, _ = a.Send(w.now, 0, msg(0, 1, 200), a) })
		w.run(seconds(6))
		if !a.pace.startup {
			t.Errorf("seed %d: the start has ended with a window of %.0f bytes, and nothing waited for it", seed, a.pace.window)
		}
	}
}
