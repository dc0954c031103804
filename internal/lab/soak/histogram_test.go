package soak

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// "below 2 % off", against sorted values.
func TestQuantiles(t *testing.T) {
	var h histogram
	rng := rand.New(rand.NewPCG(1, 2))
	var all []float64
	for range 10_000 {
		us := int64(math.Exp(rng.Float64() * 18))
		h.add(time.Duration(us) * time.Microsecond)
		all = append(all, float64(us)/1000)
	}
	slices.Sort(all)
	for _, q := range []float64{0.5, 0.95, 0.99, 1} {
		want := all[int(math.Ceil(q*float64(len(all))))-1]
		if got := h.quantile(q); math.Abs(got-want) > 0.02*want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if want := all[len(all)-1]; h.maximum() != want {
		t.Errorf("maximum %v, want %v", h.maximum(), want)
	}
}

func TestBuckets(t *testing.T) {
	for us := range uint64(1 << 22) {
		b := bucket(us)
		if low, next := floor(b), floor(b+1); us < low || us >= next {
			t.Fatalf("%d µs lies in bucket %d, which is %d to %d", us, b, low, next)
		}
	}
}

func TestExtremes(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 || h.maximum() != 0 {
		t.Error("something measured in nothing")
	}
	h.add(-time.Second)
	h.add(math.MaxInt64)
	if h.quantile(0.5) != 0 || h.maximum() != float64(math.MaxInt64/1000)/1000 {
		t.Errorf("median %v, maximum %v", h.quantile(0.5), h.maximum())
	}
}
