package dtls

import "testing"

// Sockets shed only what overflows during a flood, twice as much each time, and step by step less once
// nothing does.
func TestShedding(t *testing.T) {
	var f shedding
	step := func(flooded, pressed bool) int { f.level = f.next(flooded, pressed); return f.level }
	for range 20 {
		if step(false, true) != 0 || step(true, false) != 0 {
			t.Fatal("they shed without a flood, or without an overflow")
		}
	}
	for i := range 2 * maxShed {
		if got := step(true, true); got != min(i+1, maxShed) {
			t.Errorf("level %d after %d", got, i+1)
		}
	}
	for i := range (maxShed + 2) * shedCalm {
		if got, want := step(i%2 == 0, false), max(0, maxShed-(i+1)/shedCalm); got != want {
			t.Errorf("level %d after %d calm looks, want %d", got, i+1, want)
		}
	}
}
