package endurance

import (
	"fmt"
	"time"
)

// Flat is what was judged of the samples, in words.
type Flat struct {
	What  string `json:"what"`
	First string `json:"first"` // in the first third
	Last  string `json:"last"`  // in the last third, or the growth
	Bound string `json:"bound"` // of Last
	Held  bool   `json:"held"`
}

// judge adds up.
func (r *Report) judge(interrupted bool) {
	if interrupted {
		r.Failures = append(r.Failures, fmt.Sprintf("interrupted after %.1f s", r.elapsed.Seconds()))
	}
	for _, g := range r.Groups {
		if g.Rounds == 0 {
			r.Failures = append(r.Failures, "no round of the group "+g.Name)
		}
	}
	r.flat()
	r.Verdict = "failed"
	if len(r.Failures) == 0 {
		r.Verdict = "ok"
	}
}

// flat judges the server's process. What the system does not tell is not judged.
func (r *Report) flat() {
	samples := after(r.Samples, settled)
	count := func(what string, of func(Sample) int) {
		first, last := peaks(samples, func(s Sample) float64 { return float64(of(s)) })
		r.bound(what, first, last, first+few, func(v float64) string { return fmt.Sprintf("%.0f", v) })
	}
	count("goroutines", func(s Sample) int { return s.Goroutines })
	count("descriptors", func(s Sample) int { return s.Descriptors })
	first, last := peaks(samples, func(s Sample) float64 { return float64(s.Heap) })
	r.bound("live heap", first, last, first*9/8, megabytes)
	if r.elapsed < JudgeMemoryFrom {
		first, last = peaks(samples, func(s Sample) float64 { return float64(s.Resident) })
		r.Flat = append(r.Flat, Flat{
			"resident memory", megabytes(first), megabytes(last), fmt.Sprintf("judged from %v", JudgeMemoryFrom), true,
		})
		return
	}
	r.growth(after(r.Samples, warm))
}

// growth judges resident memory.
func (r *Report) growth(samples []Sample) {
	grows := slope(samples, func(s Sample) float64 { return float64(s.Resident) }) * growthTime.Seconds()
	first, _ := peaks(samples, func(s Sample) float64 { return float64(s.Resident) })
	r.bound("resident memory in "+growthTime.String(), first, grows, MaxGrowth, megabytes)
}

// bound notes a row, and a failure if last is above most. Nothing is known where both are zero.
func (r *Report) bound(what string, first, last, most float64, text func(float64) string) {
	if first == 0 && last == 0 {
		return
	}
	r.Flat = append(r.Flat, Flat{what, text(first), text(last), text(most), last <= most})
	if last > most {
		r.Failures = append(r.Failures, fmt.Sprintf("the server's process: %s: %s at first, then %s, want %s at most",
			what, text(first), text(last), text(most)))
	}
}

func megabytes(v float64) string { return fmt.Sprintf("%.1f MB", v/(1<<20)) }

// after returns the samples from a time on.
func after(samples []Sample, d time.Duration) []Sample {
	for i, s := range samples {
		if s.At >= d.Seconds() {
			return samples[i:]
		}
	}
	return nil
}

// peaks are the highest values of the first and of the last third.
func peaks(samples []Sample, of func(Sample) float64) (first, last float64) {
	third := (len(samples) + 2) / 3
	for i, s := range samples {
		if i < third {
			first = max(first, of(s))
		}
		if i >= len(samples)-third {
			last = max(last, of(s))
		}
	}
	return first, last
}

// slope is that of the straight line through the samples by least squares, a second.
func slope(samples []Sample, of func(Sample) float64) float64 {
	var n, x, y, xx, xy float64
	for _, s := range samples {
		v := of(s)
		n, x, y, xx, xy = n+1, x+s.At, y+v, xx+s.At*s.At, xy+s.At*v
	}
	if d := n*xx - x*x; d > 0 {
		return (n*xy - x*y) / d
	}
	return 0
}
