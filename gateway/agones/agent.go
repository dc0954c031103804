package agones

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// AgentConfig says what an Agent keeps in step with its GameServer. Client and Well are required.
type AgentConfig struct {
	Client *Client

	// Well returns nil while the server can play: both the side of the players and the game behind it.
	// It is asked before each call of Health, and before Ready; it must not wait long. A draining
	// server is well: it must keep saying so, or Agones ends the pod before its players have gone.
	Well func() error

	// Rule is told what the allocator has written. Nil means none.
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

// DefaultWithin is how long a drain may take: Agones' pods have 30 s by default after which they
// are killed, and a player who has not moved on by then has other troubles.
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

// NewAgent returns an Agent that does nothing before Run. The error matches ErrConfig.
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

// GameServer returns the GameServer as last reported, nil before the first report.
func (a *Agent) GameServer() *GameServer { return a.server.Load() }

// Stats returns what the agent has counted.
func (a *Agent) Stats() AgentStats {
	return AgentStats{a.updates.Load(), a.health.Load(), a.unwell.Load(), a.failures.Load(), a.drains.Load()}
}

// Run keeps the two in step until ctx is done, whatever the SDK server does, and returns once all
// of its goroutines have ended.
func (a *Agent) Run(ctx context.Context) {
	for _, f := range []func(context.Context){a.watch, a.becomeReady, a.sayHealthy, a.publish, a.refresh} {
		a.running.Go(func() { f(ctx) })
	}
	<-ctx.Done()
	a.running.Wait()
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

// update takes over what the SDK server has told of the GameServer. A late answer that was asked for
// before what is known was said may be of before that: it changes nothing.
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
		if a.config.Rule != nil {
			a.config.Rule.drains.Store(true)
		}
		a.beginDrain(ctx, g, assignment)
	}
}
