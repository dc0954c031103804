package arena

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// Run is a match: as often as New was told it handles what has come, moves everybody and sends the snapshots. h is
// Handler's, or one that calls it. Each tick ends with after, which must not block and is told when the tick began. Run
// returns nil when ctx is done or srv has been closed; srv stays the caller's to shut down.
func (a *Arena) Run(ctx context.Context, srv *transport.Server, h transport.Handler, after func(began time.Time)) error {
	ticker := time.NewTicker(time.Second / time.Duration(a.rate))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		began := time.Now()
		if _, err := srv.Poll(h); err != nil {
			if errors.Is(err, transport.ErrServerClosed) {
				return nil
			}
			return err
		}
		a.Step()
		a.broadcast(srv)
		srv.Flush()
		after(began)
	}
}
