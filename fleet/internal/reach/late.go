package reach

import (
	"context"
	"time"
)

// usual is how late a timer is on a machine that is idle.
const usual = 2 * time.Millisecond

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
	return f.lateness.Within(from, to) + most, nil
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
