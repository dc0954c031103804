package agones

import (
	"context"
	"time"
)

// draining is a drain under way.
type draining struct {
	to     string
	cancel context.CancelFunc
	done   chan struct{}
}

// Destination returns where players are to go when the server ends: what the annotation says, or an
// empty string if there is none or it is not known.
func (a *Agent) Destination() string {
	if g := a.server.Load(); g != nil {
		assignment, _ := AssignmentOf(g)
		return assignment.To
	}
	return ""
}

// beginDrain begins a drain, unless the one under way has the same destination.
//
// +checklocks:a.mu
func (a *Agent) beginDrain(ctx context.Context, g *GameServer, assignment Assignment) {
	former := a.drain
	if former != nil && (former.to == assignment.To || assignment.To == "") {
		return
	}
	within := assignment.Within
	if within == 0 {
		within = a.config.Within
	}
	a.drains.Add(1)
	a.config.Log.Info("agones: the server drains", "to", assignment.To, "state", string(g.State), "within", within)
	a.record("the server drains, as its GameServer says")
	ctx, cancel := context.WithCancel(ctx)
	d := &draining{to: assignment.To, cancel: cancel, done: make(chan struct{})}
	a.drain = d
	a.running.Go(func() {
		defer close(d.done)
		defer cancel()
		if former != nil {
			former.cancel()
			<-former.done
		}
		a.runDrain(ctx, d.to, within)
	})
}

// runDrain drains, and then has Agones end the pod unless it does already.
func (a *Agent) runDrain(ctx context.Context, to string, within time.Duration) {
	if a.config.Drain != nil {
		end, cancel := context.WithTimeout(ctx, within)
		err := a.config.Drain(end, to)
		cancel()
		if ctx.Err() != nil {
			return // another destination, or the end
		}
		if err != nil {
			a.config.Log.Warn("agones: the drain is over, and players are left", "error", err)
		}
	}
	for wait := (backoff{most: retryMost}); ; {
		if g := a.server.Load(); g.Ends() {
			return
		}
		err := a.config.Client.Shutdown(ctx)
		if a.ended("shutdown", err); err == nil {
			wait.wait = readyRepeat / 2 // it only queues the change
		}
		if !pause(ctx, wait.next()) {
			return
		}
	}
}
