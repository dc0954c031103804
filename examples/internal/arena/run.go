package arena

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// Run is a match: rate times a second it handles what has come, moves everybody and sends the snapshots. It returns nil
// when ctx is done or srv has been closed; srv stays the caller's to shut down.
func Run(ctx context.Context, srv *transport.Server, rate int) error {
	a := New(rate)
	handler := a.Handler()
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if _, err := srv.Poll(handler); err != nil {
			if errors.Is(err, transport.ErrServerClosed) {
				return nil
			}
			return err
		}
		a.Step()
		srv.Flush()
	}
}
