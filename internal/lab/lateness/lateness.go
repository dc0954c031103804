// Package lateness tells when this process was not woken although it should have been: what a machine that
// is busy with something else adds to all that is measured on it.
//
//	nap ──────────▶ should end          has ended
//	                    └────── a span ──────┘
package lateness

import (
	"context"
	"sync"
	"time"
)

// Watch notes when the process was late. It is felt by a goroutine that does nothing but sleep.
type Watch struct {
	// Least is how long a span has to be in order to count: more than a timer is late on a machine that is
	// idle.
	Least time.Duration

	mu sync.Mutex
	// +checklocks:mu
	spans []span
}

// span is from when a sleep should have ended until it has.
type span struct{ from, to time.Time }

// Nap is how long the goroutine sleeps at a time: a span is known that much after its end.
const Nap = 10 * time.Millisecond

// Run notes spans until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	for ctx.Err() == nil {
		due := time.Now().Add(Nap)
		select {
		case <-ctx.Done():
		case <-time.After(Nap):
		}
		w.note(due, time.Now())
	}
}

// note takes down that a sleep which should have ended at one moment has done so at another.
func (w *Watch) note(due, ended time.Time) {
	if ended.Sub(due) <= w.Least {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spans = append(w.spans, span{due, ended})
}

// Within is how long the spans are in all, as far as they are between two moments.
func (w *Watch) Within(from, to time.Time) (sum time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.spans {
		if from.After(s.from) {
			s.from = from
		}
		if to.Before(s.to) {
			s.to = to
		}
		sum += max(0, s.to.Sub(s.from))
	}
	return sum
}
