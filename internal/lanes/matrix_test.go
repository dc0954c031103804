package lanes

import (
	"slices"
	"testing"
	"time"
)

// conditions are those under which GameNetworkingSockets tests itself: rate in bytes a second, the
// rest each way.
var conditions = []struct {
	rate           float64
	loss           float64
	lag            time.Duration
	reorder        float64
	reorderBy      time.Duration
	worst, goodput float64 // bounds: p99 in RTTs plus two ticks; share of what the rate and loss leave
}{
	{128_000, 0.10, 50 * time.Millisecond, 0.02, 50 * time.Millisecond, 4, 0.5},
	{1_000_000, 0.05, 10 * time.Millisecond, 0.01, 10 * time.Millisecond, 4, 0.5},
	{1_000_000, 0, 25 * time.Millisecond, 0.30, 50 * time.Millisecond, 4, 0.5},
	{64_000, 0.20, 100 * time.Millisecond, 0.04, 50 * time.Millisecond, 4, 0.5},
	{1_000_000, 0.20, 100 * time.Millisecond, 0.04, 10 * time.Millisecond, 4, 0.5},
	{1_000_000, 0.02, 5 * time.Millisecond, 0.02, time.Millisecond, 4, 0.5},
	{2_000_000, 0, time.Millisecond, 0, 0, 4, 0.8},
}

// A reliable message of 200 bytes at 60 Hz, and apart from it 5 MB, under each condition.
//
// "Loss alone SHOULD slow it down only if it stays above 5 %, and then to little more than what
// arrives." PROTOCOL.md 16.9
func TestReachMatrix(t *testing.T) {
	for i, c := range conditions {
		if testing.Short() && i > 1 {
			return
		}
		p := path{latency: c.lag, loss: c.loss, reorder: c.reorder, reorderBy: c.reorderBy, rate: c.rate, queue: 250 * time.Millisecond}
		w := newWorld(t, 21)
		a, b := w.pair(table(t, Lane{Mode: Reliable, Insure: true}), p, p)
		end := seconds(20)
		sent := map[uint64]time.Duration{}
		var took []time.Duration
		a.tick(time.Second/60, end, func() {
			if id, err := a.Send(w.now, 0, msg(0, 1, 200), a); err == nil {
				sent[id] = w.now
			}
		})
		b.tick(time.Second/60, end, func() {})
		b.message = func(_ int, id uint64, _ []byte) { took = append(took, w.now-sent[id]) }
		w.run(end + seconds(5))
		slices.Sort(took)
		p99 := quantile(took, 0.99)

		w = newWorld(t, 22)
		a, b = w.pair(bulkTable(t), p, p)
		share, _ := runBulk(t, w, a, b, 0, end)
		room := c.rate * (1 - c.loss) * 0.93
		t.Logf("%4.0f kB/s, loss %2.0f %%, lag %3d ms, reordering %2.0f %% by %2d ms: p50 %4d ms, p99 %4d ms; bulk %4.0f kB/s, %3.0f %%",
			c.rate/1e3, 100*c.loss, c.lag.Milliseconds(), 100*c.reorder, c.reorderBy.Milliseconds(),
			quantile(took, 0.5).Milliseconds(), p99.Milliseconds(), share/1e3, 100*share/room)
		if limit := time.Duration(c.worst*float64(2*c.lag)) + c.reorderBy + time.Second/30; p99 > limit {
			t.Errorf("p99 %v, want at most %v", p99, limit)
		}
		if share < c.goodput*room {
			t.Errorf("goodput %.0f, want %.0f", share, c.goodput*room)
		}
	}
}
