package lanes

import (
	"testing"
	"time"
)

// A link that drops what is too much, and so never shows a queue, does not see the window double for ever.
//
// "Loss alone SHOULD slow it down only if it stays above 5 %, and then to little more than what arrives."
// PROTOCOL.md 16.9
func TestLossEndsTheStart(t *testing.T) {
	t.Parallel()
	const rate = 500_000
	w := newWorld(t, 1)
	a, _ := w.pair(table(t, Lane{Mode: Reliable, MaxMessage: 50_000, Credit: 1 << 22, Queue: 1 << 22}),
		path{latency: 30 * time.Millisecond, rate: rate, queue: 4 * time.Millisecond}, path{latency: 30 * time.Millisecond})
	a.tick(time.Second/60, seconds(10), func() {
		for {
			if _, err := a.Send(w.now, 0, msg(0, 1, 50_000), a); err != nil {
				return
			}
		}
	})
	w.run(seconds(10))
	if sent := a.out.sent * maxSize; sent > 2*rate*10 {
		t.Errorf("%d bytes a second were sent, and %d came", sent/10, a.out.bytes/10)
	}
}

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
