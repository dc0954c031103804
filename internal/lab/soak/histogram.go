package soak

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in µs, in buckets a 64th of their value wide: below 2 % off. It is safe for concurrent
// use, and as large after a day as after a second.
type histogram struct {
	buckets [subBuckets * 32]atomic.Uint64
	max     atomic.Int64 // µs
}

const subBuckets = 64

func (h *histogram) add(d time.Duration) {
	us := max(d.Microseconds(), 0)
	h.buckets[min(bucket(uint64(us)), len(h.buckets)-1)].Add(1)
	for old := h.max.Load(); us > old && !h.max.CompareAndSwap(old, us); old = h.max.Load() {
	}
}

// bucket is exact below 64 µs; above, 64 of them double the value.
func bucket(us uint64) int {
	shift := max(bits.Len64(us)-7, 0)
	return shift*subBuckets + int(us>>shift)
}

// floor is the least value of a bucket.
func floor(bucket int) uint64 {
	if bucket < 2*subBuckets {
		return uint64(bucket)
	}
	shift := bucket/subBuckets - 1
	return uint64(bucket-shift*subBuckets) << shift
}

// quantile is the value in ms that a share q of all do not exceed, 0 when there are none.
func (h *histogram) quantile(q float64) float64 {
	var total, seen uint64
	for i := range h.buckets {
		total += h.buckets[i].Load()
	}
	for i := range h.buckets {
		if seen += h.buckets[i].Load(); seen > 0 && float64(seen) >= q*float64(total) {
			return float64(floor(i)) / 1000
		}
	}
	return 0
}

func (h *histogram) maximum() float64 { return ms(h.longest()) }

func (h *histogram) longest() time.Duration { return time.Duration(h.max.Load()) * time.Microsecond }

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
