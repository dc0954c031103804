package agones

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// AgentConfig says what an Agent keeps in step with its GameServer. Client and Well have to be set.
type AgentConfig struct {
	Client *Client

	// Well returns nil while the server can play: both the side of the players and the game behind it. It
	// is asked before each call of Health, and before Ready; it must not wait long. A server that drains
	// is well: it must go on to say so, or Agones ends the pod before its players have gone.
	Well func() error

	// Rule is told of what the allocator has written. Nil means that nobody asks.
	Rule *Rule

	// Drain sends the players away: to host:port of another server, or nowhere in particular if to is
	// empty, as transport.Server.Drain and Shutdown do. It is called once when the GameServer is to end,
	// or has the annotation, and again if the destination changes, after the call before has returned.
	// It returns when nobody plays any more, or when ctx is done. After it Agones is told that the pod may
	// end. Nil means that the pod is told at once.
	Drain func(ctx context.Context, to string) error

	// Within is how long a drain may take where no annotation says it. Zero means DefaultWithin.
	Within time.Duration

	// Players returns what the List is to hold, such as subjects or pseudonyms: whoever may read
	// GameServers reads it. Nil means that none are published.
	Players func() []string
	// List and Counter are the names of a List and of a Counter for players, which the GameServer's spec
	// has to declare; one that is empty is left alone.
	List, Counter string

	// Log gets what an operator has to know; nil means none. Audit gets an alarm when the SDK server is
	// lost and when it is back, and one for each drain; nil means none.
	Log   *slog.Logger
	Audit audit.Sink
}

// DefaultWithin is how long a drain may take: Agones' pods have 30 s by default after which they are
// killed, and a player who has gone no further by then has other troubles.
const DefaultWithin = 25 * time.Second

// AgentStats is what an Agent has counted.
type AgentStats struct {
	Updates  uint64 // times that the SDK server has told of the GameServer
	Health   uint64 // calls of Health that have succeeded
	Unwell   uint64 // calls of Health that were left out, since Well has returned an error
	Failures uint64 // calls that have failed
	Drains   uint64
}

// Agent keeps a server and its GameServer in step. Its methods are safe for concurrent use.
type Agent struct {
	config AgentConfig                // constant
	server atomic.Pointer[GameServer] // nil before the SDK server has told of it
	known  chan struct{}              // closed then
	first  sync.Once

	updates  atomic.Uint64
	health   atomic.Uint64
	unwell   atomic.Uint64
	failures atomic.Uint64
	drains   atomic.Uint64

	mu sync.Mutex
	// +checklocks:mu
	failing map[string]bool // calls
	// +checklocks:mu
	malformed string // what is wrong with the annotations, as it was logged
	// +checklocks:mu
	drain *draining // nil before the first

	running sync.WaitGroup
}

// draining is a drain under way.
type draining struct {
	to     string
	cancel context.CancelFunc
	done   chan struct{}
}

// NewAgent returns an Agent that Run has begin. The error matches ErrConfig.
func NewAgent(config AgentConfig) (*Agent, error) {
	switch {
	case config.Client == nil:
		return nil, fmt.Errorf("%w: Client is missing: give one of NewClient", ErrConfig)
	case config.Well == nil:
		return nil, fmt.Errorf("%w: Well is missing: give a function that says whether the server is well", ErrConfig)
	case config.Within < 0 || config.Within > maxWithin:
		return nil, fmt.Errorf("%w: Within must be 0 to %v", ErrConfig, maxWithin)
	case (config.List != "" || config.Counter != "") && config.Players == nil:
		return nil, fmt.Errorf("%w: List or Counter without Players", ErrConfig)
	}
	if config.Within == 0 {
		config.Within = DefaultWithin
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Agent{config: config, known: make(chan struct{}), failing: make(map[string]bool)}, nil
}

// GameServer returns the GameServer as it was last told of, nil before.
func (a *Agent) GameServer() *GameServer { return a.server.Load() }

// Stats returns what the agent has counted.
func (a *Agent) Stats() AgentStats {
	return AgentStats{a.updates.Load(), a.health.Load(), a.unwell.Load(), a.failures.Load(), a.drains.Load()}
}

// Run keeps in step until ctx is done, and returns when nothing of it runs any more. Whatever the SDK
// server does, it goes on.
func (a *Agent) Run(ctx context.Context) {
	for _, f := range []func(context.Context){a.watch, a.becomeReady, a.sayHealthy, a.publish, a.refresh} {
		a.running.Go(func() { f(ctx) })
	}
	<-ctx.Done()
	a.running.Wait()
}

// Destination returns where players are to go when the server ends: what the annotation says, as far as
// it is known, or an empty string.
func (a *Agent) Destination() string {
	if g := a.server.Load(); g != nil {
		assignment, _ := AssignmentOf(g)
		return assignment.To
	}
	return ""
}

// watch follows the GameServer.
func (a *Agent) watch(ctx context.Context) {
	wait := backoff{most: startMost}
	for {
		err := a.config.Client.Watch(ctx, func(g *GameServer) {
			wait = backoff{most: retryMost}
			a.ended("watch", nil)
			a.update(ctx, g)
		})
		if ctx.Err() != nil {
			return
		}
		a.ended("watch", err)
		if !pause(ctx, wait.next()) {
			return
		}
	}
}

// refresh asks for the GameServer when the Rule wants it.
func (a *Agent) refresh(ctx context.Context) {
	if a.config.Rule == nil {
		return
	}
	for {
		select {
		case <-a.config.Rule.ask:
		case <-ctx.Done():
			return
		}
		g, err := a.config.Client.GameServer(ctx)
		if a.ended("gameserver", err); err == nil {
			a.update(ctx, g)
		}
	}
}

// update takes over what the SDK server has told of the GameServer. A late answer that was asked for before what is known
// was said may be of before that: it changes nothing.
func (a *Agent) update(ctx context.Context, g *GameServer) {
	a.updates.Add(1)
	assignment, err := AssignmentOf(g)
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := a.server.Load(); last != nil && g.at.Before(last.at) {
		return
	}
	if text := fmt.Sprint(err); err != nil && text != a.malformed {
		a.config.Log.Error("agones: annotations of the GameServer are malformed", "error", err)
		a.malformed = text
	} else if err == nil {
		a.malformed = ""
	}
	a.server.Store(g)
	if a.config.Rule != nil {
		a.config.Rule.set(g.at, g.State, assignment)
	}
	a.first.Do(func() { close(a.known) })
	if assignment.Drain || g.Ends() {
		a.beginDrain(ctx, g, assignment)
	}
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
