package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// errDraining is why a server that drains is not ready.
var errDraining = errors.New("admin: the server drains")

// drainEvery is how often a drain looks whether anybody plays still.
const drainEvery = 100 * time.Millisecond

// DrainState is how far a drain has come.
type DrainState string

// The states of a drain, in their order.
const (
	Serving  DrainState = "serving"  // nobody has asked for a drain
	Draining DrainState = "draining" // newcomers are refused, and the players play on
	Closing  DrainState = "closing"  // the server shuts down
	Closed   DrainState = "closed"   // the server has shut down
	Failed   DrainState = "failed"   // it has not shut down in time, or could not write its snapshot
)

var drainStates = []DrainState{Serving, Draining, Closing, Closed, Failed}

// DrainStatus is the answer of GET and POST /v1/drain.
type DrainStatus struct {
	State    DrainState `json:"state"`
	Since    time.Time  `json:"since,omitzero"`    // when the drain began
	To       string     `json:"to,omitempty"`      // host:port of the server that players are sent to; empty if to none
	Deadline time.Time  `json:"deadline,omitzero"` // when the server shuts down at the latest
	Sessions int        `json:"sessions"`          // live now
}

// Drain ends a server in good order: it refuses newcomers while the players play on or are sent to another
// server, and shuts the server down once nobody plays, or at the deadline. The zero Drain is ready; it must not
// be copied. Its methods are safe for concurrent use.
//
//	drain := new(admin.Drain)
//	config.Session.Authorize = drain.Authorize(match.Authorize)
//	server, err := transport.Listen(":7777", config)
//	api, err := admin.Handler(admin.Config{Server: server, Drain: drain, …})
type Drain struct {
	mu sync.Mutex
	// +checklocks:mu
	now DrainStatus // but for Sessions
	// +checklocks:mu
	changed chan struct{} // closed with the next change; nil if nobody waits
	// +checklocks:mu
	told bool // a caller who waited has the answer that the server closes
}

// Authorize returns a session.Config.Authorize that refuses newcomers while the server drains, and
// asks next of all else; nil means that next would only compare scopes. A session that is renewed
// or resumed goes on, wherever it has lived. The newcomer's client is told that the server shuts
// down, and may try another one with the same token.
func (d *Drain) Authorize(next func(*session.Admission) error) func(*session.Admission) error {
	return func(a *session.Admission) error {
		if a.Why == session.Opening && d.status().State != Serving {
			return session.Refusal(session.ReasonShutdown)
		}
		if next != nil {
			return next(a)
		}
		if !a.ScopeAgrees() {
			return session.Refusal(session.ReasonScope)
		}
		return nil
	}
}

// status returns how far the drain has come. Sessions is zero.
func (d *Drain) status() DrainStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.now
	if s.State == "" {
		s.State = Serving
	}
	return s
}

// change has f change the status, and tells those who wait.
func (d *Drain) change(f func(*DrainStatus)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.now)
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}

// await returns once the state is another one than it was, or ctx is done.
func (d *Drain) await(ctx context.Context, was DrainState) {
	for {
		d.mu.Lock()
		if d.changed == nil {
			d.changed = make(chan struct{})
		}
		changed, state := d.changed, d.now.State
		d.told = d.told || state == Closing
		d.mu.Unlock()
		if state != "" && state != was {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// isTold reports whether a caller who waited has the answer that the server closes.
func (d *Drain) isTold() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.told
}

// begin begins a drain, or gives the one under way another deadline, and another server to send players
// to unless to is empty.
func (d *Drain) begin(a *api, deadline time.Time, to string) {
	start := false
	d.change(func(s *DrainStatus) {
		switch s.State {
		case "":
			*s, start = DrainStatus{State: Draining, Since: time.Now().UTC(), To: to, Deadline: deadline}, true
		case Draining:
			s.Deadline, s.To = deadline, cmp.Or(to, s.To)
		}
	})
	if start {
		go d.run(a)
	}
}

// run drains the server.
func (d *Drain) run(a *api) {
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	var sending sendOn
	played := false
	for a.config.Server.Stats().Sessions > 0 && time.Now().Before(d.status().Deadline) {
		played = true
		sending.follow(a, d.status())
		<-tick.C
	}
	sending.end()
	d.change(func(s *DrainStatus) { s.State = Closing })
	// Whoever follows the drain may be between two requests, and would take a server that had players and
	// ends before the next one for a failure.
	for until := time.Now().Add(tellTime); played && !d.isTold() && time.Now().Before(until); {
		<-tick.C
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.config.ShutdownTime)
	defer cancel()
	err := a.config.Server.Shutdown(ctx)
	if err != nil {
		a.config.Log.Error("admin: the server has not shut down as it should", "error", err.Error(),
			"do", "see that the match calls Poll or Serve, and that its snapshot can be written; then end the process")
	}
	d.change(func(s *DrainStatus) {
		s.State = Closed
		if err != nil {
			s.State = Failed
		}
	})
}

// sendOn has the server send its players to another one, as long as a drain says so.
type sendOn struct {
	to       string
	deadline time.Time
	cancel   context.CancelFunc
	done     sync.WaitGroup
}

// follow does what the drain says by now.
func (s *sendOn) follow(a *api, now DrainStatus) {
	if now.To == "" || now.To == s.to && now.Deadline.Equal(s.deadline) {
		return
	}
	s.end()
	s.to, s.deadline = now.To, now.Deadline
	var ctx context.Context
	ctx, s.cancel = context.WithDeadline(context.Background(), s.deadline)
	s.done.Go(func() {
		err := a.config.Server.Drain(ctx, s.to)
		if err != nil && ctx.Err() == nil && !errors.Is(err, transport.ErrServerClosed) {
			a.config.Log.Error("admin: the players are not sent to another server", "to", s.to, "error", err.Error())
		}
	})
}

// end tells the players of no other server any more.
func (s *sendOn) end() {
	if s.cancel != nil {
		s.cancel()
	}
	s.done.Wait()
}

func (a *api) drainStatus() DrainStatus {
	s := a.config.Drain.status()
	s.Sessions = a.config.Server.Stats().Sessions
	return s
}

// getDrain is GET /v1/drain.
func (a *api) getDrain(c *call) (any, *Problem) {
	var wait, was string
	if problem := query(c.r, map[string]*string{"wait": &wait, "state": &was}); problem != nil {
		return nil, problem
	}
	if was != "" && !slices.Contains(drainStates, DrainState(was)) {
		return nil, problemQuery.with("state")
	}
	if wait != "" {
		d, err := time.ParseDuration(wait)
		if err != nil || d < 0 || d > maxWait {
			return nil, problemQuery.with("wait")
		}
		ctx, cancel := context.WithTimeout(c.r.Context(), d)
		defer cancel()
		if was == "" {
			was = string(a.config.Drain.status().State)
		}
		a.config.Drain.await(ctx, DrainState(was))
	}
	return a.drainStatus(), nil
}

// DrainRequest is the body of POST /v1/drain.
type DrainRequest struct {
	Within string `json:"within,omitempty"` // a duration, such as 10m, after which the server shuts down; empty for at once
	To     string `json:"to,omitempty"`     // host:port of another server of the fleet, on which the players resume; empty for none
}

// drain is POST /v1/drain.
func (a *api) drain(c *call) (any, *Problem) {
	var q DrainRequest
	if problem := object(c.w, c.r, map[string]any{"within": &q.Within, "to": &q.To}); problem != nil {
		return nil, problem
	}
	var d time.Duration
	if q.Within != "" {
		var err error
		if d, err = time.ParseDuration(q.Within); err != nil || d < 0 || d > maxDrain {
			return nil, problemBody.with("within")
		}
	}
	c.detail = fmt.Sprintf("within %v", d)
	if q.To != "" {
		if transport.CheckDestination(q.To) != nil {
			return nil, problemBody.with("to")
		}
		c.detail += ", to " + q.To
	}
	a.config.Drain.begin(a, time.Now().UTC().Add(d), q.To)
	return a.drainStatus(), nil
}
