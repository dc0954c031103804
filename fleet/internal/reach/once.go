package reach

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Once opens n sessions on the first server, one after another, and shows each one's token to every
// other server a while later, and later by as much as the machine is late. It returns how many of these have taken a token again, and of how many
// times it was shown.
func (f *Fleet) Once(ctx context.Context, name string, n int, later time.Duration) (taken, shown int, err error) {
	var again, times atomic.Int64
	for i := range n {
		raw, err := f.Mint(fmt.Sprintf("%s-%d", name, i))
		if err != nil {
			return 0, 0, err
		}
		first, err := f.DialWith(ctx, f.Servers[0], raw)
		if err != nil {
			return 0, 0, err
		}
		if err := f.pauseHere(ctx, later); err != nil {
			return 0, 0, err
		}
		var wg sync.WaitGroup
		errs := make([]error, len(f.Servers))
		for k, s := range f.Servers[1:] {
			wg.Go(func() {
				times.Add(1)
				used, err := f.usedAt(ctx, s, raw)
				if errs[k] = err; err == nil && !used {
					again.Add(1)
				}
			})
		}
		wg.Wait()
		if err := errors.Join(append(errs, first.Close())...); err != nil {
			return 0, 0, err
		}
	}
	return int(again.Load()), int(times.Load()), nil
}

// usedAt reports whether a server refuses a token because it was used.
func (f *Fleet) usedAt(ctx context.Context, s *Server, raw []byte) (bool, error) {
	c, err := f.DialWith(ctx, s, raw)
	if err == nil {
		return false, c.Close()
	}
	return refusedFor(err, session.ReasonUsed)
}

// refusedFor reports whether an error of Dial is the server's refusal for a reason. Any other error
// is returned.
func refusedFor(err error, reason session.Reason) (bool, error) {
	var refused *transport.CloseError
	if errors.As(err, &refused) && refused.Reason == reason {
		return true, nil
	}
	return false, err
}

// Refused wants every server to refuse a player who comes with a fresh token, for a reason.
func (f *Fleet) Refused(ctx context.Context, subject string, reason session.Reason) error {
	for _, s := range f.Servers {
		c, err := f.Dial(ctx, s, subject)
		if err == nil {
			c.Close() //nolint:errcheck // it should not be there
			return fmt.Errorf("reach: %s has let %s in", s.Name, subject)
		}
		if _, err := refusedFor(err, reason); err != nil {
			return fmt.Errorf("reach: %s has refused %s for another reason: %w", s.Name, subject, err)
		}
	}
	return nil
}
