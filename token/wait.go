package token

import "context"

// waitKey is the key of a context's value that WithWait puts there.
type waitKey struct{}

// WithWait returns a context that has whoever is about to wait for a key call wait first. If wait returns an error, nobody
// waits, and the key cannot be had: ErrUnavailable. So a caller that verifies many tokens can set those aside whose keys
// have to be fetched, and go on with the others. RemoteKeys calls it, once for each fetch that it waits for; a KeySet of
// another make that may wait should use AboutToWait.
//
// wait is called by the goroutine of Verify. It must not block.
func WithWait(ctx context.Context, wait func() error) context.Context {
	return context.WithValue(ctx, waitKey{}, wait)
}

// AboutToWait is what a KeySet calls before it waits for something else than ctx, a fetch for instance. On an error it is not
// to wait, and its Key returns ErrUnavailable.
func AboutToWait(ctx context.Context) error {
	if wait, ok := ctx.Value(waitKey{}).(func() error); ok {
		return wait()
	}
	return nil
}
