package lanes

import (
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// These tests print the figures that the lanes reach on a virtual link, and hold them to a bound.

// A reliable message of 200 bytes each tick at 60 Hz, over an RTT of 100 ms with 5 % loss each way.
func TestReachReliable(t *testing.T) {
	for _, c := range []struct {
		name           string
		insure, coarse bool
		bound          time.Duration
	}{
		{"ticks and deadlines", false, false, 210 * time.Millisecond},
		{"ticks alone", false, true, 210 * time.Millisecond},
		{"insured", true, false, 85 * time.Millisecond},
		{"insured, ticks alone", true, true, 85 * time.Millisecond},
	} {
		w := newWorld(t, 7)
		p := path{latency: 50 * time.Millisecond, loss: 0.05}
		a, b := w.pair(table(t, Lane{Mode: Reliable, Insure: c.insure}), p, p)
		a.coarse, b.coarse = c.coarse, c.coarse
		const tick = time.Second / 60
		end := seconds(150)
		if testing.Short() {
			end = seconds(30)
		}
		sent := map[uint64]time.Duration{}
		var took []time.Duration
		a.tick(tick, end, func() {
			id, err := a.Send(w.now, 0, msg(0, 1, 200), a)
			if err != nil {
				t.Fatal(err)
			}
			sent[id] = w.now
		})
		b.tick(tick, end, func() {})
		b.message = func(_ int, id uint64, _ []byte) {
			if sent[id] > seconds(5) {
				took = append(took, w.now-sent[id])
			}
		}
		w.run(end)
		slices.Sort(took)
		p99 := quantile(took, 0.99)
		t.Logf("%-22s p50 %v, p99 %v, p99.9 %v, %.0f B/s", c.name, quantile(took, 0.5), p99, quantile(took, 0.999), float64(a.out.bytes)/end.Seconds())
		if p99 > c.bound {
			t.Errorf("%s: p99 %v, want at most %v", c.name, p99, c.bound)
		}
	}
}

// 5 MB on the last lane through 2 Mbit/s, with lane 0 sending 100 B at 60 Hz.
//
// "It SHOULD slow down when the RTT stays above its smallest value by more than 10 ms and more
// than a quarter of that." PROTOCOL.md 16.9
func TestReachBulk(t *testing.T) {
	for _, c := range []struct {
		name  string
		loss  float64
		share float64
		added time.Duration
	}{
		{"no loss", 0, 0.92, 25 * time.Millisecond},
		{"3 % loss", 0.03, 0.80, 25 * time.Millisecond},
	} {
		w := newWorld(t, 3)
		const rate = 250_000.0
		down := path{latency: 30 * time.Millisecond, rate: rate, queue: 250 * time.Millisecond, loss: c.loss}
		a, b := w.pair(bulkTable(t), down, path{latency: 30 * time.Millisecond})
		goodput, took := runBulk(t, w, a, b, seconds(10), seconds(30))
		lane0 := 60 * 100.0
		frames := float64(wire.MaxFragment) / float64(wire.MaxFragment+8+overhead)
		room := (rate - lane0) * frames
		added := quantile(took, 0.99) - 30*time.Millisecond
		mean := time.Duration(0)
		for _, d := range took {
			mean += d - 30*time.Millisecond
		}
		mean /= time.Duration(len(took))
		t.Logf("%-9s goodput %.0f B/s, %.1f %% of %.0f; added to lane 0: mean %v, p99 %v", c.name, goodput, 100*goodput/room, room, mean, added)
		if goodput < c.share*room || mean > c.added {
			t.Errorf("%s: want %.0f %% and %v", c.name, 100*c.share, c.added)
		}
	}
}

func bulkTable(t *testing.T) *Table {
	return table(t, Lane{Mode: Unreliable}, Lane{Mode: Ordered, Priority: 9, MaxMessage: 64 << 10, Credit: 1 << 20, Queue: 6 << 20})
}

// runBulk keeps the last lane full and returns its goodput from warm on, and the times of lane 0.
func runBulk(t *testing.T, w *world, a, b *node, warm, end time.Duration) (goodput float64, took []time.Duration) {
	got := 0
	sent := map[uint64]time.Duration{}
	a.tick(time.Second/60, end, func() {
		id, err := a.Send(w.now, 0, msg(0, 1, 100), a)
		if err != nil {
			t.Fatal(err)
		}
		sent[id] = w.now
		a.fill()
	})
	b.tick(time.Second/60, end, func() {})
	b.message = func(lane int, id uint64, m []byte) {
		if w.now < warm {
			return
		}
		if lane == 1 {
			got += len(m)
		} else {
			took = append(took, w.now-sent[id])
		}
	}
	w.run(end)
	slices.Sort(took)
	return float64(got) / (end - warm).Seconds(), took
}

// fill keeps a MiB of bulk waiting on lane 1.
func (n *node) fill() {
	n.w.t.Helper()
	for {
		if _, waiting := n.Pending(1); waiting > 1<<20 {
			return
		}
		if _, err := n.Send(n.w.now, 1, make([]byte, 64<<10), n); err != nil {
			n.w.t.Fatal(err)
		}
	}
}

// Two players share the bottleneck.
func TestReachFair(t *testing.T) {
	w := newWorld(t, 5)
	shared := &path{latency: 30 * time.Millisecond, rate: 250_000, queue: 250 * time.Millisecond}
	end := seconds(60)
	var got [2]float64
	for i := range got {
		a, b := w.pair(bulkTable(t), path{}, path{latency: 30 * time.Millisecond})
		a.out = shared
		start := seconds(5 * float64(i))
		w.at(start, func() {
			a.tick(time.Second/60, end, func() { a.fill() })
			b.tick(time.Second/60, end, func() {})
		})
		b.message = func(lane int, _ uint64, m []byte) {
			if w.now > seconds(20) {
				got[i] += float64(len(m))
			}
		}
	}
	w.run(end)
	jain := (got[0] + got[1]) * (got[0] + got[1]) / (2 * (got[0]*got[0] + got[1]*got[1]))
	t.Logf("%.0f and %.0f B/s, Jain's index %.3f", got[0]/40, got[1]/40, jain)
	if jain < 0.9 {
		t.Errorf("index %.3f, want 0.9", jain)
	}
}
