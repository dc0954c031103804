package lanes

import (
	"testing"
	"time"
)

// However often the game panics, amid messages and SKIPs and before a restart, lanes go on: each
// message comes at most once, in order, every one of a lane without MaxAge does, and no credit is lost.
func TestPanicsCostNothing(t *testing.T) {
	seeds := uint64(100)
	if testing.Short() {
		seeds = 10
	}
	panics := 0
	for seed := range seeds {
		w := newWorld(t, seed)
		r := w.random
		ms := func(n int) time.Duration { return time.Duration(1+r.IntN(n)) * time.Millisecond }
		lane := func(mode Mode, age time.Duration) Lane {
			return Lane{Mode: mode, MaxMessage: 4000, Credit: 4000 << r.IntN(4), MaxAge: age}
		}
		p := path{latency: ms(60), jitter: ms(60), loss: 0.4 * r.Float64(), dup: 0.1}
		a, b := w.pair(table(t, lane(Ordered, 20*time.Millisecond+ms(200)), lane(Reliable, ms(200)), lane(Ordered, 0)), p, p)
		b.panics = func() bool {
			if w.now > 10*time.Second || r.IntN(5) > 0 {
				return false
			}
			panics++
			return true
		}
		var came [3]map[uint64]bool
		var last [3]uint64
		b.message = func(lane int, id uint64, _ []byte) {
			if came[lane] == nil {
				came[lane] = make(map[uint64]bool)
			}
			if came[lane][id] || lane != 1 && id < last[lane] {
				t.Errorf("seed %d, lane %d: message %d after %d", seed, lane, id, last[lane])
			}
			came[lane][id], last[lane] = true, id
		}
		for second := range time.Duration(8 * (seed % 2)) {
			w.at(second*time.Second, func() { b.restart(t, false) })
		}
		a.tick(16*time.Millisecond, 12*time.Second, func() {
			for lane := range 3 {
				for range r.IntN(3) {
					_, _ = a.Send(w.now, lane, make([]byte, []int{0, 20, 500, 3000}[r.IntN(4)]), a)
				}
			}
		})
		w.run(5 * time.Minute)
		for lane, s := range a.senders {
			d := b.readers[lane]
			if s.head != nil || s.skip != nil || d.floor != s.last+1 || d.seen != s.begun || d.below != s.begun || d.taken != s.begun {
				t.Errorf("seed %d, lane %d: message %d of %d; %d of %d bytes are credit", seed, lane, d.floor, s.last, d.taken, s.begun)
			}
		}
		if n := uint64(len(came[2])); n != last[2] || n != a.senders[2].last {
			t.Errorf("seed %d: %d of %d messages came", seed, n, a.senders[2].last)
		}
	}
	if panics < 10*int(seeds) {
		t.Errorf("%d panics", panics)
	}
}
