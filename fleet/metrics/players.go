package metrics

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// Server is what Run needs of a server. A *transport.Server is one.
type Server interface {
	Visit(ctx context.Context, f func(*transport.Player) bool) error
	Stats() transport.Stats
}

// The values of the label direction, as the server sees it.
const (
	directionIn  = "in"  // from the player
	directionOut = "out" // to the player
)

// Run looks at a sample of the server's players until ctx is done, in a goroutine of the caller's,
// and returns ctx's error, or transport.ErrServerClosed once the server is closed. A server that
// takes no turns is looked at when it takes one.
func (m *Metrics) Run(ctx context.Context, s Server) error {
	ticker := time.NewTicker(m.config.Every)
	defer ticker.Stop()
	r := &rounds{metrics: m}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if err := r.round(ctx, s); err != nil {
				return err
			}
		}
	}
}

// rounds are the looks at players. A session's name begins with 8 random bytes that stay the same as
// long as it lives: the sample is of those within a window of their values, so that no list of
// players is kept but that of the sample. The first window begins anywhere, and each ends where the next
// begins: all players come in turn, and none is in two in a row unless the sample is more than half of them.
type rounds struct {
	metrics *Metrics
	number  int
	window  uint64 // its first value
	width   uint64 // its last value is that much more
	before  map[[16]byte]counted
}

// counted is what a player's numbers were in the round before.
type counted struct{ received, lost, sent, lostOut uint64 }

// round looks at the sample.
func (r *rounds) round(ctx context.Context, s Server) error {
	switch {
	case r.number == 0:
		r.window = rand.Uint64()
	case r.number%sampleTurn == 0:
		r.window += r.width + 1
	}
	r.number++
	r.width = ^uint64(0)
	if n := s.Stats().Sessions; n > r.metrics.config.Sample {
		r.width = r.width / uint64(n) * uint64(r.metrics.config.Sample)
	}
	seen := make(map[[16]byte]counted)
	err := s.Visit(ctx, func(p *transport.Player) bool {
		name := p.Session().Name()
		if binary.BigEndian.Uint64(name[:8])-r.window <= r.width {
			now := p.Stats()
			r.metrics.look(r.before[name], now)
			seen[name] = counted{now.Received, now.Lost, now.Sent, now.LostOut}
		}
		return len(seen) < 4*r.metrics.config.Sample // for names that are not random
	})
	r.before = seen
	return err
}

// look counts one player. A player who is seen for the first time has no loss yet, but for that since
// the session began. Without lanes nothing is known of loss to the player.
func (m *Metrics) look(before counted, now transport.PlayerStats) {
	if now.RTT > 0 {
		m.rtt.Observe(now.RTT.Seconds())
		m.jitter.Observe(now.Jitter.Seconds())
	}
	observe := func(direction string, lost, all uint64) {
		if all > 0 && lost <= all {
			m.loss.WithLabelValues(direction).Observe(float64(lost) / float64(all))
		}
	}
	if now.Received >= before.received && now.Lost >= before.lost {
		lost := now.Lost - before.lost
		observe(directionIn, lost, now.Received-before.received+lost)
	}
	if now.Rate > 0 && now.Sent >= before.sent && now.LostOut >= before.lostOut {
		observe(directionOut, now.LostOut-before.lostOut, now.Sent-before.sent)
	}
}
