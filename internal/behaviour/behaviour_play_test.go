package behaviour

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/policy"
)

// play sends datagrams of one change at their times and returns the verdicts, and when it was revoked (zero: never).
func play(c *Limits, times []time.Duration) (got tally, revoked time.Duration) {
	b := started(c)
	for _, at := range times {
		v := b.Observe(epoch.Add(at), 300, 1)
		got[v]++
		if v == policy.VerdictRevoke {
			return got, at
		}
	}
	return got, 0
}

// steady is a player who changes state hz times a second.
func steady(hz int, d time.Duration) (times []time.Duration) {
	for at := time.Duration(0); at < d; at += time.Second / time.Duration(hz) {
		times = append(times, at)
	}
	return times
}

// stalled delivers at its end what is sent during a stall.
func stalled(times []time.Duration, from, length time.Duration) []time.Duration {
	first, _ := slices.BinarySearch(times, from)
	for i := first; i < len(times) && times[i] < from+length; i++ {
		times[i] = from + length
	}
	return times
}

// A player's usual 60 a second: ten minutes of any tick in use, with nothing dropped and nothing recorded.
func TestSteadyPlay(t *testing.T) {
	c := limits(t, policy.BehaviourConfig{})
	for _, hz := range []int{1, 20, 30, 60, 128} {
		times := steady(hz, 10*time.Minute)
		if got, _ := play(c, times); got != (tally{policy.VerdictAllow: len(times)}) {
			t.Errorf("%d Hz: %v", hz, got)
		}
	}
}

// "128 · (2 s + 1 s) = 384 changes in any second": a stall of up to 2 s drops nothing and revokes nobody, however often
// it comes.
func TestStallClumps(t *testing.T) {
	c, match := limits(t, policy.BehaviourConfig{}), 10*time.Minute
	if testing.Short() {
		match = time.Minute
	}
	for _, hz := range []int{20, 30, 60, 128} {
		for _, length := range []time.Duration{100 * time.Millisecond, time.Second, 2 * time.Second} {
			for _, every := range []time.Duration{length + time.Millisecond, 3 * time.Second, 7 * time.Second} {
				times := steady(hz, match)
				for from := time.Second; from < match; from += max(every, length) {
					times = stalled(times, from, length)
				}
				got, _ := play(c, times)
				if got[policy.VerdictLimit]+got[policy.VerdictRevoke] != 0 || hz <= 60 && got[policy.VerdictFlag] != 0 {
					t.Errorf("%d Hz, stalls of %v every %v: %v", hz, length, every, got)
				}
			}
		}
	}
}

// A path delays each datagram by up to 2 s and delivers them in order: no schedule of stalls makes a player a bot.
func TestRandomStalls(t *testing.T) {
	c, r := limits(t, policy.BehaviourConfig{}), rand.New(rand.NewPCG(5, 6))
	for range 100 {
		times, free := steady(128, time.Minute), time.Duration(0)
		for i, at := range times {
			if r.IntN(64) == 0 {
				free = max(free, at+time.Duration(r.Int64N(int64(2*time.Second))))
			}
			times[i] = max(at, free)
		}
		if got, _ := play(c, times); got[policy.VerdictLimit]+got[policy.VerdictRevoke] != 0 {
			t.Fatalf("%v", got)
		}
	}
}

// "A bot is out within 0.61 s at 800 changes a second, and within 0.25 s at 2,000", also when it has played well before.
func TestBots(t *testing.T) {
	c := limits(t, policy.BehaviourConfig{})
	for _, k := range []struct {
		hz     int
		within time.Duration
	}{{482, time.Second}, {800, 610 * time.Millisecond}, {2000, 250 * time.Millisecond}, {100_000, 10 * time.Millisecond}} {
		for _, before := range []int{0, 60, 128} {
			var times []time.Duration
			begin := time.Duration(0)
			if before != 0 {
				begin = time.Minute
				times = steady(before, begin)
			}
			for _, at := range steady(k.hz, 10*time.Second) {
				times = append(times, begin+at)
			}
			if got, at := play(c, times); got[policy.VerdictRevoke] != 1 || at-begin > k.within || got[policy.VerdictFlag] != 1 {
				t.Errorf("%d/s after %d Hz: %v, revoked after %v, want %v", k.hz, before, got, at-begin, k.within)
			}
		}
	}
	if got, _ := play(c, steady(470, time.Minute)); got[policy.VerdictRevoke] != 0 || got[policy.VerdictLimit] == 0 {
		t.Errorf("470/s: %v", got)
	}
}

// A bot that plays along and bursts each ten seconds is revoked in its first burst; one that hides many changes in few
// datagrams likewise; a player's double click is not.
func TestMixedPlay(t *testing.T) {
	c := limits(t, policy.BehaviourConfig{})
	times := steady(60, time.Minute)
	for begin := 10 * time.Second; begin < time.Minute; begin += 10 * time.Second {
		for _, at := range steady(2000, 300*time.Millisecond) {
			times = append(times, begin+at)
		}
	}
	slices.Sort(times)
	if _, at := play(c, times); at < 10*time.Second || at > 10*time.Second+250*time.Millisecond {
		t.Errorf("bursts: revoked after %v", at)
	}
	b := started(c)
	for i := range 7 {
		v := b.Observe(epoch.Add(time.Duration(i)*100*time.Millisecond), 300, 80) // 800/s in 10 datagrams
		if v == policy.VerdictRevoke != (i == 6) {
			t.Errorf("datagram %d of 80 changes: %v", i, v)
		}
	}
	b = started(c)
	for i := range 600 {
		cost := 1
		if i%60 == 0 {
			cost = 60 // a short burst each second
		}
		if v := b.Observe(epoch.Add(time.Duration(i)*time.Second/60), 300, cost); v != policy.VerdictAllow {
			t.Fatalf("datagram %d: %v", i, v)
		}
	}
}

// "what is dropped counts": a bot whose datagrams are dropped all the time goes on to its revocation.
func TestDroppedDatagramsCount(t *testing.T) {
	c := limits(t, policy.BehaviourConfig{Datagrams: 1, DatagramBurst: 1})
	got, at := play(c, steady(2000, time.Second))
	if got[policy.VerdictLimit] != standard.Revoke-1 || got[policy.VerdictRevoke] != 1 {
		t.Errorf("%v, revoked after %v", got, at)
	}
}

// "So no step revokes": a player at 128 Hz with a clump, whose server's clock steps at the worst moment or creeps back.
func TestBehaviourClockSteps(t *testing.T) {
	c := limits(t, policy.BehaviourConfig{})
	steps := []time.Duration{1, time.Millisecond, time.Second/slots - 1, time.Second / slots, time.Second/slots + 1, time.Second, time.Hour, 24 * 365 * time.Hour}
	for _, step := range append(slices.Clone(steps), -1, -time.Millisecond, -time.Second/slots, -time.Second, -time.Hour) {
		for often := range 3 {
			b, ahead, got := started(c), time.Duration(0), tally{}
			for i, at := range stalled(steady(128, 30*time.Second), 10*time.Second, 2*time.Second) {
				if often == 0 && i == 10*128+200 || often == 1 && i%128 == 127 || often == 2 && i%7 == 0 {
					ahead -= step
				}
				got[b.Observe(epoch.Add(at+ahead), 300, 1)]++
			}
			if got[policy.VerdictRevoke] != 0 || often == 0 && got[policy.VerdictLimit] != 0 && step < time.Second && step > 0 {
				t.Errorf("step of %v back, case %d: %v", step, often, got)
			}
		}
	}
	creeping := started(c)
	for i := range 10_000 {
		if v := creeping.Observe(epoch.Add(-time.Duration(i)*time.Millisecond), 300, 1); v == policy.VerdictRevoke {
			t.Fatalf("a clock that runs backwards revokes at datagram %d", i)
		}
	}
}

// A step back by up to one slot is not noticed; a longer one forgets the state changes.
func TestSmallStepBack(t *testing.T) {
	c := limits(t, policy.BehaviourConfig{})
	slot := c.Window / slots
	for step, want := range map[time.Duration]policy.Verdict{slot - 1: policy.VerdictRevoke, slot: policy.VerdictRevoke, slot + 1: policy.VerdictAllow} {
		b := started(c)
		b.Observe(epoch, 0, standard.Revoke)
		if got := b.Observe(epoch.Add(-step), 0, 1); got != want {
			t.Errorf("step of %v back: %v, want %v", step, got, want)
		}
	}
}

// "A step forward forgets the state changes and fills the buckets, that is, allows one burst."
func TestBehaviourStepForward(t *testing.T) {
	c := limits(t, policy.BehaviourConfig{DatagramBurst: 100})
	b := started(c)
	burst := func(now time.Time) (got tally) {
		for range 200 {
			got[b.Observe(now, 0, 1)]++
		}
		return got
	}
	want := tally{policy.VerdictAllow: 100, policy.VerdictLimit: 100}
	for i, now := range []time.Time{epoch, epoch.AddDate(1, 0, 0), epoch.AddDate(100, 0, 0)} {
		if got := burst(now); got != want {
			t.Errorf("burst %d: %v, want %v", i, got, want)
		}
	}
}
