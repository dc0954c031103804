// Package clockstep lets tests set the system's clock under a server or a client of package transport:
//
//	clockstep.Server(server, now)          the wall clock of a server, before its first turn
//	Dial(clockstep.With(ctx, now), …)      the clock of a client
//
// Inside a bubble of testing/synctest the wall clock and the monotonic one are one, and no step can be
// tried. Nothing but a test calls this; without it both ends ask time.Now.
package clockstep

import (
	"context"
	"time"
)

// Server has a *transport.Server take now for the system's clock. Package transport sets it.
var Server func(server any, now func() time.Time)

type key struct{}

// With returns a context under which transport.Dial makes a client that takes now for time.Now. What
// now returns has a monotonic reading, as that of time.Now.
func With(ctx context.Context, now func() time.Time) context.Context {
	return context.WithValue(ctx, key{}, now)
}

// Of returns the clock that With has put into ctx, time.Now without.
func Of(ctx context.Context) func() time.Time {
	if now, ok := ctx.Value(key{}).(func() time.Time); ok {
		return now
	}
	return time.Now
}
