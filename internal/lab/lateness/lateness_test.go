package lateness

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Spans count as far as they are between the two moments, and only those that are longer than Least.
func TestWithin(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond) }
	w := Watch{Least: 2 * time.Millisecond}
	w.note(at(10), at(12))
	w.note(at(20), at(23))
	w.note(at(40), at(140))
	for _, c := range []struct{ from, to, want int }{
		{0, 200, 103},
		{0, 22, 2},
		{21, 40, 2},
		{50, 60, 10},
		{23, 40, 0},
		{140, 200, 0},
	} {
		if got := w.Within(at(c.from), at(c.to)); got != time.Duration(c.want)*time.Millisecond {
			t.Errorf("%v between %d and %d, want %d ms", got, c.from, c.to, c.want)
		}
	}
}

// In virtual time nobody is late, and Run ends with its context.
func TestPunctual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w Watch
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.Run(ctx)
		if took, late := time.Since(began), w.Within(began, time.Now()); took != time.Second || late != 0 {
			t.Errorf("ran for %v, %v late", took, late)
		}
	})
}
