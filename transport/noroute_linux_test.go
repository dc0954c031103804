package transport

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// Without a network Dial says so, and does not wait for its context to end: with a socket of its own,
// to an address of either family.
func TestNoNetwork(t *testing.T) {
	t.Parallel()
	testkit.OwnNetwork(t, func(*testkit.Network) {
		loopback(t, func(w *world) {
			for _, at := range []string{"192.0.2.1:7777", "[2001:db8::1]:7777"} {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				began := time.Now()
				_, err := Dial(ctx, at, ClientConfig{RootCAs: w.authority.Pool(), Token: w.tokens(grantFor(1))})
				cancel()
				if !errors.Is(err, syscall.ENETUNREACH) || !errors.Is(err, ErrTimeout) || time.Since(began) > promptly {
					t.Errorf("%s: %v after %v", at, err, time.Since(began))
				}
			}
		})
	})
}
