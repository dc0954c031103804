package reach

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// Sample is one ban of a player with a session on every server.
type Sample struct {
	Published time.Time     // before Append was called
	Appended  time.Duration // that Append took: the publisher's disk
	Last      time.Duration // from Published to the last datagram that a server has delivered
	Late      time.Duration // by how much, at most, a busy machine has put Last off
}

// Ban bans a player and measures. It returns when no server has delivered anything of the player for
// a while.
func (f *Fleet) Ban(ctx context.Context, p *Player) (s Sample, err error) {
	p.busy.Store(true)
	if !pause(ctx, 4*calm/3) { // until every client sends often
		return s, ctx.Err()
	}
	s.Published = time.Now()
	_, err = f.Publisher.Append(revocation.Record{Kind: revocation.KindBan, Issuer: issuer, Value: p.Subject})
	s.Appended = time.Since(s.Published)
	if err != nil {
		return s, err
	}
	if s.Last, err = f.silent(ctx, p.Subject, s.Published); err == nil {
		s.Late, err = f.late(s.Published, s.Published.Add(s.Last))
	}
	p.Leave()
	return s, err
}

// quiet is how long nothing may have come of a player who sends every few milliseconds until it is
// certain that nothing will.
const quiet = 400 * time.Millisecond

// silent waits until no server delivers anything of a player, and returns how long after a moment
// the last one has.
func (f *Fleet) silent(ctx context.Context, subject string, after time.Time) (time.Duration, error) {
	for {
		if !pause(ctx, quiet) {
			return 0, fmt.Errorf("reach: %s is still heard: %w", subject, ctx.Err())
		}
		now, last := time.Now(), after
		for _, s := range f.Servers {
			seen, err := s.Seen(subject)
			if err != nil {
				return 0, err
			}
			if seen.IsZero() {
				return 0, fmt.Errorf("reach: %s has heard nothing of %s", s.Name, subject)
			}
			if seen.After(last) {
				last = seen
			}
		}
		if now.Sub(last) > quiet/2 {
			return last.Sub(after), nil
		}
	}
}

// BanAll bans players one after another, every so often, and returns a sample of each. during is
// called beside that, and may be nil.
func (f *Fleet) BanAll(ctx context.Context, players []*Player, every time.Duration, during func() error) ([]Sample, error) {
	type result struct {
		Sample
		error
	}
	results := make(chan result, len(players))
	beside := make(chan error, 1)
	go func() {
		if during == nil {
			beside <- nil
		} else {
			beside <- during()
		}
	}()
	for _, p := range players {
		go func() {
			s, err := f.Ban(ctx, p)
			results <- result{s, err}
		}()
		if !pause(ctx, every) {
			break
		}
	}
	var samples []Sample
	var errs error
	for range players {
		r := <-results
		samples, errs = append(samples, r.Sample), errors.Join(errs, r.error)
	}
	slices.SortFunc(samples, func(a, b Sample) int { return a.Published.Compare(b.Published) })
	return samples, errors.Join(errs, <-beside)
}

// Percentile returns the p-th percentile of durations, from 0 to 100; 0 of none.
func Percentile(durations []time.Duration, p int) time.Duration {
	if len(durations) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(durations))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// inTime returns the samples' Last without what the machine has put it off by.
func inTime(samples []Sample) (d []time.Duration) {
	for _, s := range samples {
		d = append(d, s.Last-s.Late)
	}
	return d
}

// Lasts returns the samples' Last.
func Lasts(samples []Sample) (d []time.Duration) {
	for _, s := range samples {
		d = append(d, s.Last)
	}
	return d
}
