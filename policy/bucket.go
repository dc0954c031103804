package policy

import "time"

// Bucket is a token bucket of 24 bytes. It is a value: a copy goes on independently. The zero Bucket allows nothing.
//
// Time is the wall clock's, so the clock may step. A step forward fills the bucket, that is, allows one burst. A step
// back empties it at most: tokens come at the usual rate from the new time on, and nobody is locked out until the old
// time is reached again.
type Bucket struct {
	rate
	full int64 // when the bucket is full again, Unix ns
}

// NewBucket returns a full bucket. Both numbers are between 1 and 1,000,000,000; those outside count as the nearest.
// The interval between tokens is a whole number of nanoseconds, rounded down.
func NewBucket(perSecond, burst int, now time.Time) Bucket {
	return Bucket{rate: newRate(perSecond, burst), full: now.UnixNano()}
}

// Allow takes a token if there is one.
func (b *Bucket) Allow(now time.Time) bool { return b.take(&b.full, now.UnixNano()) }

// rate is what buckets of one kind share.
type rate struct {
	interval int64 // ns between tokens
	window   int64 // ns from empty to full
}

func newRate(perSecond, burst int) rate {
	interval := int64(time.Second) / int64(min(max(perSecond, 1), maxRate))
	return rate{interval: interval, window: interval * int64(min(max(burst, 1), maxBurst))}
}

// take moves full by one token, if that leaves it within the window.
func (r rate) take(full *int64, now int64) bool {
	*full = r.settle(*full, now)
	if !r.has(*full, now, 1) {
		return false
	}
	*full += r.interval
	return true
}

// settle returns full as it counts now: a full bucket is full now, and an empty one at the end of the window.
func (r rate) settle(full, now int64) int64 { return min(max(full, now), now+r.window) }

// has says whether a settled bucket holds n tokens, at most maxPayload.
func (r rate) has(full, now, n int64) bool {
	return r.interval != 0 && full+n*r.interval <= now+r.window
}
