package bucket

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"
)

// epoch is where synctest's clock starts.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func newBucket(perSecond, burst int, now time.Time) Bucket {
	return New(PerSecond(perSecond, burst), now.UnixNano())
}

// take takes n times at once and returns how often there was a token.
func take(b *Bucket, now time.Time, n int) (allowed int) {
	for range n {
		if b.Take(now.UnixNano()) {
			allowed++
		}
	}
	return allowed
}

// "New returns a bucket that is full at now."
func TestBurst(t *testing.T) {
	for _, burst := range []int{1, 2, 40, 1000} {
		for _, asked := range []int{burst - 1, burst, burst + 1} {
			b := newBucket(10, burst, epoch)
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
			b := newBucket(perSecond, 5, epoch)
			take(&b, epoch, 5)
			if got := take(&b, epoch.Add(d), 5); got != want {
				t.Errorf("%d/s: %d allowed after %v, want %d", perSecond, got, d, want)
			}
		}
	}
}

// "Both are between 1 and 1,000,000,000; numbers outside count as the nearest."
func TestBucketBounds(t *testing.T) {
	for _, c := range []struct{ perSecond, burst, sameRate, sameBurst int }{
		{-1, -1, 1, 1},
		{0, 0, 1, 1},
		{MaxRate, MaxBurst, MaxRate, MaxBurst},
		{MaxRate + 1, MaxBurst + 1, MaxRate, MaxBurst},
	} {
		got, want := newBucket(c.perSecond, c.burst, epoch), newBucket(c.sameRate, c.sameBurst, epoch)
		if got != want || !got.Take(epoch.UnixNano()) {
			t.Errorf("%d/s, burst %d is %+v, want %+v", c.perSecond, c.burst, got, want)
		}
	}
	last := time.Date(2199, 12, 31, 0, 0, 0, 0, time.UTC)
	slowest := newBucket(1, MaxBurst, last)
	if slowest.full+slowest.rate.window < slowest.full || take(&slowest, last, 100) != 100 {
		t.Error("the slowest bucket overflows before 2200")
	}
}

// "The zero Bucket allows nothing."
func TestZeroBucket(t *testing.T) {
	var b Bucket
	if b.Take(epoch.UnixNano()) || b.Take(time.Time{}.UnixNano()) || b.Take(time.Unix(0, 0).UnixNano()) {
		t.Error("allowed")
	}
}

// "A step forward fills the bucket, that is, allows one burst."
func TestClockStepsForward(t *testing.T) {
	b := newBucket(10, 5, epoch)
	take(&b, epoch, 5)
	if got := take(&b, epoch.AddDate(1, 0, 0), 100); got != 5 {
		t.Errorf("%d allowed after a year, want 5", got)
	}
}

// "A step back empties it at most: tokens come at the usual rate from the new time on."
func TestClockStepsBack(t *testing.T) {
	for _, step := range []time.Duration{1, 99 * time.Millisecond, 500 * time.Millisecond, time.Hour, 24 * time.Hour} {
		for _, used := range []int{0, 3, 5} {
			b := newBucket(10, 5, epoch)
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

// "a token bucket that is kept as one instant": it answers as one that counts tokens.
func TestBucketAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		perSecond, burst := 1+r.IntN(5000), 1+r.IntN(50)
		fast := newBucket(perSecond, burst, epoch)
		slow := slowBucket{interval: int64(time.Second) / int64(perSecond), burst: int64(burst), last: epoch}
		slow.tokens = slow.burst * slow.interval
		now := epoch
		for i := range 2000 {
			if r.IntN(3) == 0 {
				now = now.Add(time.Duration(r.Int64N(3 * slow.interval)))
			}
			if got, want := fast.Take(now.UnixNano()), slow.allow(now); got != want {
				t.Fatalf("%d/s, burst %d, question %d: %v, want %v", perSecond, burst, i, got, want)
			}
		}
	}
}

// "Bucket is one bucket with its rate. It is a value: a copy goes on independently."
func TestBucketIsSmallValue(t *testing.T) {
	if got := unsafe.Sizeof(Bucket{}); got != 24 {
		t.Errorf("%d bytes", got)
	}
	a := newBucket(1, 1, epoch)
	b := a
	if !a.Take(epoch.UnixNano()) || !b.Take(epoch.UnixNano()) {
		t.Error("a copy shares tokens")
	}
}

// "Return undoes a Take that came to nothing."
func TestReturn(t *testing.T) {
	b := New(Every(10*time.Second, 3), 0)
	at := int64(0)
	for i, step := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true},
		{0, true},
		{0, true},
		{0, false},
		{10*time.Second - 1, false},
		{1, true},
		{0, false},
		{time.Hour, true},
		{0, true},
		{0, true},
		{0, false},
	} {
		at += int64(step.after)
		if got := b.Take(at); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	b.Return()
	if !b.Take(at) || b.Take(at) {
		t.Error("given back: want one more")
	}
}

// The longest intervals and bursts do not overflow, and hold one token at least.
func TestEveryBounds(t *testing.T) {
	for _, c := range []struct {
		every time.Duration
		burst int
	}{{1, math.MaxInt}, {math.MaxInt64 / 4, 1}, {time.Hour, math.MaxInt}, {time.Second, 0}, {time.Second, -1}} {
		b := New(Every(c.every, c.burst), epoch.UnixNano())
		if !b.Take(epoch.UnixNano()) {
			t.Errorf("every %v, burst %d: nothing is allowed", c.every, c.burst)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	b := newBucket(60, 120, epoch)
	if n := testing.AllocsPerRun(1000, func() { b.Take(epoch.UnixNano()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkBucket(b *testing.B) {
	k, now := newBucket(60, 120, epoch), epoch
	for b.Loop() {
		now = now.Add(time.Millisecond)
		k.Take(now.UnixNano())
	}
}
