package policy

import (
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"
)

// epoch is where synctest's clock starts.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// take asks n times at once and returns how often the answer was yes.
func take(b *Bucket, now time.Time, n int) (allowed int) {
	for range n {
		if b.Allow(now) {
			allowed++
		}
	}
	return allowed
}

// "NewBucket returns a full bucket."
func TestBurst(t *testing.T) {
	for _, burst := range []int{1, 2, 40, 1000} {
		for _, asked := range []int{burst - 1, burst, burst + 1} {
			b := NewBucket(10, burst, epoch)
			if got, want := take(&b, epoch, asked), min(asked, burst); got != want {
				t.Errorf("burst %d, asked %d: %d allowed, want %d", burst, asked, got, want)
			}
		}
	}
}

// A token comes after exactly one interval: not 1 ns earlier.
func TestRefill(t *testing.T) {
	for _, perSecond := range []int{1, 3, 60, 2000} {
		interval := time.Second / time.Duration(perSecond)
		for d, want := range map[time.Duration]int{interval - 1: 0, interval: 1, interval + 1: 1, 2*interval - 1: 1, 2 * interval: 2} {
			b := NewBucket(perSecond, 5, epoch)
			take(&b, epoch, 5)
			if got := take(&b, epoch.Add(d), 5); got != want {
				t.Errorf("%d/s: %d allowed after %v, want %d", perSecond, got, d, want)
			}
		}
	}
}

// "Both numbers are between 1 and 1,000,000,000; those outside count as the nearest."
func TestBucketBounds(t *testing.T) {
	for _, c := range []struct{ perSecond, burst, sameRate, sameBurst int }{
		{-1, -1, 1, 1},
		{0, 0, 1, 1},
		{maxRate, maxBurst, maxRate, maxBurst},
		{maxRate + 1, maxBurst + 1, maxRate, maxBurst},
	} {
		got, want := NewBucket(c.perSecond, c.burst, epoch), NewBucket(c.sameRate, c.sameBurst, epoch)
		if got != want || !got.Allow(epoch) {
			t.Errorf("%d/s, burst %d is %+v, want %+v", c.perSecond, c.burst, got, want)
		}
	}
	last := time.Date(2199, 12, 31, 0, 0, 0, 0, time.UTC)
	slowest := NewBucket(1, maxBurst, last)
	if slowest.full+slowest.window < slowest.full || take(&slowest, last, 100) != 100 {
		t.Error("the slowest bucket overflows before 2200")
	}
}

// "The zero Bucket allows nothing."
func TestZeroBucket(t *testing.T) {
	var b Bucket
	if b.Allow(epoch) || b.Allow(time.Time{}) || b.Allow(time.Unix(0, 0)) {
		t.Error("allowed")
	}
}

// "A step forward fills the bucket, that is, allows one burst."
func TestClockStepsForward(t *testing.T) {
	b := NewBucket(10, 5, epoch)
	take(&b, epoch, 5)
	if got := take(&b, epoch.AddDate(1, 0, 0), 100); got != 5 {
		t.Errorf("%d allowed after a year, want 5", got)
	}
}

// "A step back empties it at most: tokens come at the usual rate from the new time on."
func TestClockStepsBack(t *testing.T) {
	for _, step := range []time.Duration{1, 99 * time.Millisecond, 500 * time.Millisecond, time.Hour, 24 * time.Hour} {
		for _, used := range []int{0, 3, 5} {
			b := NewBucket(10, 5, epoch)
			take(&b, epoch, used)
			now := epoch.Add(-step)
			if got := take(&b, now, 100); got > 5-used {
				t.Errorf("%v back with %d used: %d allowed at once", step, used, got)
			}
			allowed := 0
			for range 1000 { // 10 s
				now = now.Add(10 * time.Millisecond)
				allowed += take(&b, now, 1)
			}
			if allowed < 95 || allowed > 105 {
				t.Errorf("%v back with %d used: %d allowed in 10 s, want about 100", step, used, allowed)
			}
		}
	}
}

// slowBucket counts tokens, in fractions of 1 ns times the rate, as textbooks do.
type slowBucket struct {
	tokens, interval, burst int64
	last                    time.Time
}

func (s *slowBucket) allow(now time.Time) bool {
	s.tokens = min(s.tokens+now.Sub(s.last).Nanoseconds(), s.burst*s.interval)
	s.last = now
	if s.tokens < s.interval {
		return false
	}
	s.tokens -= s.interval
	return true
}

// "A token bucket is kept as one instant": it answers as one that counts tokens.
func TestBucketAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		perSecond, burst := 1+r.IntN(5000), 1+r.IntN(50)
		fast := NewBucket(perSecond, burst, epoch)
		slow := slowBucket{interval: int64(time.Second) / int64(perSecond), burst: int64(burst), last: epoch}
		slow.tokens = slow.burst * slow.interval
		now := epoch
		for i := range 2000 {
			if r.IntN(3) == 0 {
				now = now.Add(time.Duration(r.Int64N(3 * slow.interval)))
			}
			if got, want := fast.Allow(now), slow.allow(now); got != want {
				t.Fatalf("%d/s, burst %d, question %d: %v, want %v", perSecond, burst, i, got, want)
			}
		}
	}
}

// "Bucket is a token bucket of 24 bytes. It is a value: a copy goes on independently."
func TestBucketIsSmallValue(t *testing.T) {
	if got := unsafe.Sizeof(Bucket{}); got != 24 {
		t.Errorf("%d bytes", got)
	}
	a := NewBucket(1, 1, epoch)
	b := a
	if !a.Allow(epoch) || !b.Allow(epoch) {
		t.Error("a copy shares tokens")
	}
}

func BenchmarkBucket(b *testing.B) {
	k, now := NewBucket(60, 120, epoch), epoch
	for b.Loop() {
		now = now.Add(time.Millisecond)
		k.Allow(now)
	}
}
