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

// DrainServer returns an AgentConfig.Drain that sends a server's players to the destination, and where
// there is none waits until they have left by themselves.
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

// Leave drains a server on the way out, as when its process has got SIGTERM: to the destination of its
// GameServer, for as long as within, if the agent knows one; otherwise at once. What is left is for
// transport.Server.Shutdown.
func (a *Agent) Leave(s Server, within time.Duration) error {
	to := a.Destination()
	if to == "" || s.Stats().Sessions == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return s.Drain(ctx, to)
}
