package reach

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// store publishes n revocations, and returns once JetStream has them.
func (f *Fleet) store(ctx context.Context, n int) error {
	if err := f.append(n); err != nil {
		return err
	}
	return f.waitStored(ctx)
}

// append publishes n revocations of tokens that nobody has.
func (f *Fleet) append(n int) error {
	serial := time.Now().UnixNano() & 0xffffffffffff
	for done := 0; done < n; {
		batch := make([]revocation.Record, min(n-done, 16*revocation.MaxRecords))
		for i := range batch {
			// A token's id as issuers write them: a UUID.
			batch[i] = revocation.Record{
				Kind: revocation.KindToken, Issuer: issuer, Value: fmt.Sprintf("%08x-0000-4000-8000-%012x", done+i, serial),
			}
		}
		if _, err := f.Publisher.Append(batch...); err != nil {
			return err
		}
		done += len(batch)
	}
	return nil
}

// waitStored waits until JetStream has everything that was published.
func (f *Fleet) waitStored(ctx context.Context) error {
	for f.Publisher.Stats().Unstored > 0 {
		if !pause(ctx, time.Millisecond) {
			return fmt.Errorf("reach: not stored: %+v: %w", f.Publisher.Stats(), ctx.Err())
		}
	}
	return nil
}

// issuer is that of the players' tokens.
const issuer = "sallyport-dev"
