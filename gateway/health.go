package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// health is what is known of the backend.
type health struct {
	mu sync.Mutex
	// +checklocks:mu
	gone time.Time // since when; zero while it is ready
	// +checklocks:mu
	ended bool // players have been put out in this outage
	// +checklocks:mu
	met bool // it has been ready once
}

// Ready returns nil while new players may come, else an error that tells an operator why not.
func (g *Gateway) Ready() error {
	if g.drains() {
		return errDraining
	}
	return g.backend.Ready()
}

// drains reports whether the gateway drains, or somebody else has begun to drain the server.
func (g *Gateway) drains() bool {
	return g.draining.Load() || g.config.Draining != nil && g.config.Draining()
}

// look asks the backend until ctx is done, and ends the sessions when it has been gone for too long.
func (g *Gateway) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if g.judge(time.Now(), g.backend.Ready()) {
			g.putOut(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// judge notes what the backend says, and reports whether nobody can stay any longer.
func (g *Gateway) judge(now time.Time, err error) bool {
	h, hold := &g.health, g.limits.Load().Hold
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil && !h.met:
		h.met, h.gone, h.ended = true, time.Time{}, false
		g.config.Log.Info("gateway: the backend is ready")
		return false
	case err == nil && h.gone.IsZero():
		return false
	case err == nil:
		g.config.Log.Info("gateway: the backend is back", "away", now.Sub(h.gone))
		g.record("the backend is back")
		h.gone, h.ended = time.Time{}, false
		return false
	case h.gone.IsZero():
		if h.gone = now; !h.met {
			g.config.Log.Info("gateway: waiting for the backend: nobody is admitted yet", "error", err)
			return false
		}
		g.counts.outages.Add(1)
		g.config.Log.Error("gateway: the backend is gone: nobody new is admitted", "error", err, "hold", hold)
		g.record("the backend is gone: nobody new is admitted")
		return false
	case now.Sub(h.gone) < hold:
		return false
	}
	if !h.ended && (h.met || g.players.Load() > 0) { // else it has yet to come, to nobody
		h.ended = true
		g.config.Log.Error("gateway: the backend has not come back: sessions end", "players", g.players.Load(), "error", err)
		g.record("the backend has not come back: sessions end")
	}
	return true
}

// putOut ends all sessions, with a reason after which the players may come again. While the gateway
// drains, that is the one which lets those arrive who are on their way to another server.
func (g *Gateway) putOut(ctx context.Context) {
	if g.players.Load() == 0 {
		return
	}
	reason := session.ReasonUnavailable
	if g.drains() {
		reason = session.ReasonShutdown
	}
	g.server.Visit(ctx, func(p *transport.Player) bool { //nolint:errcheck // the next look tries again
		p.Kick(reason)
		g.counts.putOut.Add(1)
		return true
	})
}

// record puts an alarm into the audit.
func (g *Gateway) record(what string) {
	if sink := g.config.Transport.Audit; sink != nil {
		sink.Record(audit.Event{Decision: audit.Alarm, Detail: what})
	}
}
