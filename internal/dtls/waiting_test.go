package dtls

import (
	"testing"
	"time"
)

// A datagram has waited since it was received, at least 0 and at most since the
// turn before. When the system's clock has been stepped since, it has not waited.
func TestWaited(t *testing.T) {
	const gap = 4 * time.Second
	start := time.Unix(1_700_000_000, 0)
	limit := clockStep + gap/clockSlew
	for name, test := range map[string]struct {
		step time.Duration // of the system's clock, since the turn before
		age  time.Duration // of the datagram, by its stamp
		want time.Duration
	}{
		"now":                        {0, 0, 0},
		"a while ago":                {0, 1500 * time.Millisecond, 1500 * time.Millisecond},
		"just after the turn before": {0, gap, gap},
		"before it":                  {0, gap + 1, gap},
		"in the future":              {0, -1, 0},
		"far in the future":          {0, -time.Hour, 0},
		"slewed":                     {limit, time.Second, time.Second},
		"slewed back":                {-limit, time.Second, time.Second},
		"stepped":                    {limit + 1, time.Second, 0},
		"stepped back":               {-limit - 1, time.Second, 0},
		"stepped by a year":          {365 * 24 * time.Hour, 365 * 24 * time.Hour, 0},
	} {
		w := waiting{turned: start}
		now, wall := start.Add(gap), start.Add(gap+test.step)
		w.begin(now, wall)
		w.stamp = wall.Add(-test.age).UnixNano()
		if got := w.waited(); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
		if w.stamp = 0; w.waited() != 0 {
			t.Errorf("%s: waited %v without a stamp", name, w.waited())
		}
		w.emptied(now)
		w.begin(now.Add(time.Second), wall.Add(time.Second))
		w.stamp = wall.UnixNano()
		if got := w.waited(); got != time.Second {
			t.Errorf("%s: %v in the turn after, want 1 s", name, got)
		}
	}
}

// Once the system's clock has been stepped no stamp is believed until everything has been read that
// came before: a turn looks at the clocks several times.
func TestStampsOfBeforeAStep(t *testing.T) {
	for _, step := range []time.Duration{0, time.Hour, -time.Hour} {
		start := time.Unix(1_700_000_000, 0)
		w := waiting{}
		w.begin(start, start)
		w.emptied(start)
		now, want := start.Add(4*time.Second), time.Second
		if step != 0 {
			want = 0
		}
		for range 3 {
			now = now.Add(time.Millisecond)
			w.begin(now, now.Add(step))
			if w.stamp = now.Add(step - time.Second).UnixNano(); w.waited() != want {
				t.Errorf("a step of %v: waited %v, want %v", step, w.waited(), want)
			}
		}
		w.emptied(now)
		w.begin(now.Add(2*time.Second), now.Add(2*time.Second+step))
		if w.stamp = now.Add(step + time.Second).UnixNano(); w.waited() != time.Second {
			t.Errorf("a step of %v: waited %v in the turn after", step, w.waited())
		}
	}
}
