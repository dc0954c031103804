// Package bucket is a token bucket that is kept as one instant: when it would be full again if
// nothing more were taken.
//
//	full ≤ now                 the bucket is full
//	now < full < now+window    it holds (now+window−full)/interval tokens, and a fraction
//	full = now+window          it is empty
//	full > now+window          the clock has stepped back: it counts as empty
//
//	interval                      how far taking a token moves full
//	window   = burst · interval   how long an empty bucket takes to fill
//
// Times are nanoseconds since any instant, the same for all calls about one bucket. On a wall clock,
// a step forward fills the bucket, that is, allows one burst. A step back empties it at most: tokens
// come at the usual rate from the new time on, and nobody is locked out until the old time is
// reached again.
package bucket

import (
	"sync/atomic"
	"time"
)

const (
	// MaxRate and MaxBurst bound the numbers of PerSecond, so that a window stays below 32 years and
	// no sum overflows before the year 2200.
	MaxRate  = int(time.Second)
	MaxBurst = 1_000_000_000

	// maxWindow bounds the window of Every in ns, for the same reason.
	maxWindow = 1 << 60
)

// Rate is what buckets of one kind share: how fast they fill, and how much they hold. The zero Rate
// allows nothing. Users of many buckets keep a Rate and the instants; others use a Bucket.
type Rate struct {
	interval int64 // ns between tokens
	window   int64 // ns from empty to full
}

// PerSecond returns the rate of n tokens a second and burst at once. Both are between 1 and
// 1,000,000,000; numbers outside count as the nearest. The interval between tokens is a whole number
// of nanoseconds, rounded down.
func PerSecond(n, burst int) Rate {
	interval := int64(time.Second) / int64(min(max(n, 1), MaxRate))
	return Rate{interval: interval, window: interval * int64(min(max(burst, 1), MaxBurst))}
}

// Every returns the rate of one token in each interval, which is positive, and burst at once.
func Every(interval time.Duration, burst int) Rate {
	most := max(maxWindow/int64(interval), 1)
	return Rate{interval: int64(interval), window: int64(interval) * min(int64(max(burst, 1)), most)}
}

// Take takes a token if there is one. full is the bucket.
func (r Rate) Take(full *int64, now int64) bool {
	*full = r.Settle(*full, now)
	if !r.Has(*full, now, 1) {
		return false
	}
	*full += r.interval
	return true
}

// TakeShared is Take for a bucket that others use at the same time.
func (r Rate) TakeShared(full *atomic.Int64, now int64) bool {
	for {
		old := full.Load()
		next := old
		ok := r.Take(&next, now)
		if full.CompareAndSwap(old, next) {
			return ok
		}
	}
}

// Settle returns full as it counts now: now for a full bucket, the end of the window for an empty
// one.
func (r Rate) Settle(full, now int64) int64 { return min(max(full, now), now+r.window) }

// Has reports whether a settled bucket holds n tokens, at most 65,535.
func (r Rate) Has(full, now, n int64) bool {
	return r.interval != 0 && full+n*r.interval <= now+r.window
}

// Span returns how far n tokens move full: forward when they are taken, back when they are returned.
func (r Rate) Span(n int64) int64 { return n * r.interval }

// Bucket is one bucket with its rate. It is a value: a copy goes on independently. The zero Bucket
// allows nothing.
type Bucket struct {
	rate Rate
	full int64
}

// New returns a bucket that is full at now.
func New(r Rate, now int64) Bucket { return Bucket{r, now} }

// Take takes a token if there is one.
func (b *Bucket) Take(now int64) bool { return b.rate.Take(&b.full, now) }

// Return undoes a Take that came to nothing.
func (b *Bucket) Return() { b.full -= b.rate.Span(1) }
