package reach

import (
	"context"
	"sync"
	"time"
)

// lateness is when a process was not woken although it should have been: what a machine that is busy with
// something else adds to all that is measured on it. It is felt by a goroutine that does nothing but sleep.
type lateness struct {
	mu sync.Mutex
	// +checklocks:mu
	spans []span
}

// span is from when a sleep should have ended until it has.
type span struct{ from, to time.Time }

const (
	nap   = 10 * time.Millisecond // how long it sleeps at a time
	usual = 2 * time.Millisecond  // how late a timer is on a machine that is idle
)

// watch notes spans until ctx ends.
func (l *lateness) watch(ctx context.Context) {
	for began := time.Now(); pause(ctx, nap); began = time.Now() {
		if s := (span{began.Add(nap), time.Now()}); s.to.Sub(s.from) > usual {
			l.mu.Lock()
			l.spans = append(l.spans, s)
			l.mu.Unlock()
		}
	}
}

// within is how long the spans are in all, as far as they are between two moments.
func (l *lateness) within(from, to time.Time) (sum time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.spans {
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

// late is how late this process and one server have been between two moments: the server that was latest.
func (f *Fleet) late(from, to time.Time) (time.Duration, error) {
	var most time.Duration
	for _, s := range f.Servers {
		late, err := s.late(from, to)
		if err != nil {
			return 0, err
		}
		most = max(most, late)
	}
	return f.lateness.within(from, to) + most, nil
}

// pauseHere waits, and for as long again as something was late meanwhile.
func (f *Fleet) pauseHere(ctx context.Context, d time.Duration) error {
	began := time.Now()
	if !pause(ctx, d) {
		return ctx.Err()
	}
	late, err := f.late(began, time.Now())
	if err == nil && !pause(ctx, late) {
		err = ctx.Err()
	}
	return err
}
