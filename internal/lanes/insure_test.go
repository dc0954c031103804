package lanes

import (
	"slices"
	"testing"
	"time"
)

// insured runs the bulk beside a lane of 200 bytes at 60 Hz on a slow line that loses a fifth, and
// returns the goodput of the bulk and the p99 of the lane.
func insured(t *testing.T, insure, bulk bool) (goodput float64, p99 time.Duration) {
	p := path{latency: 100 * time.Millisecond, loss: 0.2, reorder: 0.04, reorderBy: 50 * time.Millisecond, rate: 64_000, queue: 250 * time.Millisecond}
	w := newWorld(t, 23)
	a, b := w.pair(table(t,
		Lane{Mode: Reliable, Insure: insure},
		Lane{Mode: Ordered, Priority: 1, MaxMessage: 64 << 10, Credit: 1 << 20, Queue: 6 << 20}), p, p)
	end, got := seconds(60), 0
	sent := map[uint64]time.Duration{}
	var took []time.Duration
	a.tick(time.Second/60, end, func() {
		if id, err := a.Send(w.now, 0, msg(0, 1, 200), a); err == nil {
			sent[id] = w.now
		}
		if bulk {
			a.fill()
		}
	})
	b.tick(time.Second/60, end, func() {})
	b.message = func(lane int, id uint64, m []byte) {
		if lane == 0 {
			took = append(took, w.now-sent[id])
		} else {
			got += len(m)
		}
	}
	w.run(end)
	slices.Sort(took)
	return float64(got) / end.Seconds(), quantile(took, 0.99)
}

// A repetition that waits for the rate is not due before it may leave.
func TestRepetitionsWaitForTheRate(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable, Insure: true})
	l.measure()
	l.flight.loss = 2 * lossSeen
	l.send(string(make([]byte, 300)))
	for range 100 {
		if _, err := l.Send(l.now, 0, make([]byte, 1000), l); err != nil {
			t.Fatal(err)
		}
	}
	l.flush()
	l.later(repeatAfter)
	l.flush()
	if d := l.Deadline(l.now); d <= l.now || l.repeats.due() > l.now {
		t.Errorf("due in %v, the repetition in %v", d-l.now, l.repeats.due()-l.now)
	}
}

// "While the lanes of the last priority wait for the rate, repetitions SHOULD take at most a twelfth
// of it." PROTOCOL.md 16.9
func TestInsuranceLeavesTheRateToWhatWaits(t *testing.T) {
	t.Parallel()
	with, withP99 := insured(t, true, true)
	without, withoutP99 := insured(t, false, true)
	_, alone := insured(t, true, false)
	_, uninsured := insured(t, false, false)
	t.Logf("bulk beside an insured lane %.0f B/s (p99 %v), beside an uninsured one %.0f (p99 %v); p99 alone %v, %v", with, withP99, without, withoutP99, alone, uninsured)
	if with < 0.8*without {
		t.Errorf("bulk beside an insured lane %.0f B/s, beside one without %.0f", with, without)
	}
	if alone > uninsured*2/3 {
		t.Errorf("without the bulk p99 is %v insured, %v uninsured", alone, uninsured)
	}
}
