package agones

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// Server is what DrainServer drains. A *transport.Server is one.
type Server interface {
	Drain(ctx context.Context, to string) error
	Stats() transport.Stats
}

// DrainServer returns an AgentConfig.Drain that sends a server's players to the destination, or,
// without one, waits until they have left by themselves.
func DrainServer(s Server) func(ctx context.Context, to string) error {
	return func(ctx context.Context, to string) error {
		if to != "" {
			return s.Drain(ctx, to)
		}
		for s.Stats().Sessions > 0 {
			if !pause(ctx, retryFirst) {
				return ctx.Err()
			}
		}
		return nil
	}
}

// Leave drains a server that is about to end, as after SIGTERM: its players go to the destination
// of its GameServer, for up to within, if the agent knows one; otherwise Leave returns at once.
// Call transport.Server.Shutdown after it.
func (a *Agent) Leave(s Server, within time.Duration) error {
	to := a.Destination()
	if to == "" || s.Stats().Sessions == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return s.Drain(ctx, to)
}
