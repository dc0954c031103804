package token

import "context"

// waitKey is the key of a context's value that WithWait puts there.
type waitKey struct{}

// WithWait returns a context under which a KeySet calls wait before it waits for a key. If wait
// returns an error, the KeySet does not wait and fails with ErrUnavailable. So a caller that
// verifies many tokens can set those aside whose keys must be fetched, and continue with the
// others. RemoteKeys calls wait once for each fetch that it waits for; other KeySets that may block
// should use AboutToWait.
//
// wait is called by the goroutine of Verify. It must not block.
func WithWait(ctx context.Context, wait func() error) context.Context {
	return context.WithValue(ctx, waitKey{}, wait)
}

// AboutToWait is called by a KeySet before it waits for anything but ctx, such as a fetch. On an
// error the KeySet must not wait, and its Key returns ErrUnavailable.
func AboutToWait(ctx context.Context) error {
	if wait, ok := ctx.Value(waitKey{}).(func() error); ok {
		return wait()
	}
	return nil
}
