package agones

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// becomeReady says that the server is ready, until its GameServer is. One that has been so before, as
// after a restart of this container, is left as it is: Ready would take an allocation back.
func (a *Agent) becomeReady(ctx context.Context) {
	select {
	case <-a.known:
	case <-ctx.Done():
		return
	}
	wait, asked := backoff{most: retryMost}, false
	for {
		g := a.server.Load()
		if g.State.begun() || g.Deleted {
			return
		}
		next := retryFirst
		if err := a.config.Well(); err == nil {
			err = a.config.Client.Ready(ctx)
			if a.ended("ready", err); err != nil {
				next = wait.next()
			} else if next = readyRepeat; asked {
				a.config.Log.Warn("agones: the GameServer is not ready yet: asked again", "state", string(g.State))
			}
			asked = asked || err == nil
		}
		for begun := time.Now(); time.Since(begun) < next; {
			if !pause(ctx, retryFirst) {
				return
			}
			if a.server.Load().State.begun() {
				return
			}
		}
	}
}

// sayHealthy says that the server is well, as long as it is.
func (a *Agent) sayHealthy(ctx context.Context) {
	wait, well, level := backoff{most: DefaultPeriod}, true, slog.LevelInfo // a game that has not started yet is no fault
	for {
		period, disabled := DefaultPeriod, false
		if g := a.server.Load(); g != nil {
			if disabled = g.Health.Disabled; g.Health.Period > 0 {
				period = g.Health.Period / 2
			}
		}
		err := a.config.Well()
		switch {
		case disabled:
		case err != nil:
			a.unwell.Add(1)
			if well {
				a.config.Log.Log(ctx, level, "agones: the server is not well, and its health is not confirmed", "error", err)
			}
		default:
			if level = slog.LevelError; !well {
				a.config.Log.Info("agones: the server is well again")
			}
			failed := a.config.Client.Health(ctx)
			if a.ended("health", failed); failed != nil {
				period = min(period, wait.next())
			} else {
				wait.reset()
				a.health.Add(1)
			}
		}
		well = err == nil
		if !pause(ctx, period) {
			return
		}
	}
}

// publish keeps the List and the Counter of players.
func (a *Agent) publish(ctx context.Context) {
	if a.config.List == "" && a.config.Counter == "" {
		return
	}
	select {
	case <-a.known:
	case <-ctx.Done():
		return
	}
	var told []string
	wait, current := backoff{most: retryMost}, false
	for {
		players := slices.Compact(slices.Sorted(slices.Values(a.config.Players())))
		next := publishEvery
		if !current || !slices.Equal(players, told) {
			if err := a.publishOnce(ctx, players); err != nil {
				current, next = false, max(publishEvery, wait.next())
			} else {
				wait.reset()
				told, current = players, true
			}
		}
		if !pause(ctx, next) {
			return
		}
	}
}

func (a *Agent) publishOnce(ctx context.Context, players []string) (err error) {
	if a.config.Counter != "" {
		err = a.config.Client.SetCount(ctx, a.config.Counter, int64(len(players)))
		a.ended("counter "+a.config.Counter, err)
	}
	if a.config.List != "" {
		failed := a.config.Client.SetList(ctx, a.config.List, players)
		a.ended("list "+a.config.List, failed)
		if err == nil {
			err = failed
		}
	}
	return err
}

// ended notes the end of a call, and logs when calls of its kind begin to fail, and when they no longer
// do.
func (a *Agent) ended(what string, err error) {
	if err != nil {
		a.failures.Add(1)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch was := a.failing[what]; {
	case err != nil && !was:
		a.failing[what] = true
		if a.server.Load() == nil {
			a.config.Log.Info("agones: the SDK server does not answer yet", "call", what, "error", err)
			return
		}
		a.config.Log.Error("agones: a call of the SDK server fails, and is made again", "call", what, "error", err)
		if what == "watch" {
			a.record("the SDK server of Agones is lost")
		}
	case err == nil && was:
		delete(a.failing, what)
		a.config.Log.Info("agones: calls of the SDK server succeed", "call", what)
		if what == "watch" && a.server.Load() != nil {
			a.record("the SDK server of Agones is there")
		}
	}
}

// record puts an alarm into the audit.
func (a *Agent) record(what string) {
	if a.config.Audit != nil {
		a.config.Audit.Record(audit.Event{Decision: audit.Alarm, Detail: what})
	}
}
