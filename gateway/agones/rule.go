package agones

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/session"
)

// Rule admits those for whom the allocator has written the annotations of a GameServer: of its scope,
// and of its players where it lists some. Whoever plays already is not judged again when the session is
// renewed, or resumed where it lives, whatever becomes of the GameServer meanwhile.
//
//	rule := agones.NewRule(agones.RuleConfig{Keys: ring.IDs})
//	config.Session.Authorize = rule.Authorize(match.Authorize)
//	agent, err := agones.NewAgent(agones.AgentConfig{Client: client, Rule: rule, …})
//
// A player may come before what the allocator has written: while the server is not allocated, or
// the GameServer is not known, the answer is session.ReasonUnavailable, after which a client may
// try again with the same token. A player who is not listed gets the same answer until the SDK
// server has been asked for the list again; if the list still lacks the player, the answer is
// session.ReasonScope. While the agent drains the server, newcomers are told session.ReasonShutdown;
// who resumes here from another server may come as before.
type Rule struct {
	config RuleConfig
	now    atomic.Pointer[known] // nil before anything is known
	ask    chan struct{}         // capacity 1: the GameServer is to be asked for
	drains atomic.Bool           // the agent drains the server, which nothing takes back

	mu sync.Mutex
	// +checklocks:mu
	asked time.Time // when last
}

// RuleConfig configures a Rule. The zero value works.
type RuleConfig struct {
	// Unallocated admits players to a server that nobody has allocated: for games whose players find
	// servers by themselves.
	Unallocated bool
	// Keys returns the ids of the server's fleet keys, as fleetkey.Ring.IDs does, and makes the server
	// unready while the annotation's key is not among them: tickets of arriving players would be
	// refused. Nil means that this is not checked.
	Keys func() []uint32
}

// known is what is known of the GameServer.
type known struct {
	state State
	Assignment
	at time.Time // it was so then, or later
}

// NewRule returns a Rule that knows of no GameServer yet.
func NewRule(config RuleConfig) *Rule {
	return &Rule{config: config, ask: make(chan struct{}, 1)}
}

// set tells the rule of the GameServer, as it was at a time or later.
func (r *Rule) set(at time.Time, state State, a Assignment) { r.now.Store(&known{state, a, at}) }

// Assignment returns what the allocator has written; ok is false while that is unknown.
func (r *Rule) Assignment() (a Assignment, ok bool) {
	if k := r.now.Load(); k != nil {
		return k.Assignment, true
	}
	return a, false
}

// Ready returns nil while players can be admitted, else an error that tells an operator why not. It
// does not wait.
func (r *Rule) Ready() error {
	k := r.now.Load()
	switch {
	case k == nil:
		return ErrUnanswered
	case k.KeyID != 0 && r.config.Keys != nil && !slices.Contains(r.config.Keys(), k.KeyID):
		return fmt.Errorf("agones: fleet key %d of %s is not here: see what hands out the fleet's keys", k.KeyID, KeyKeyID)
	}
	return nil
}

// Authorize returns a session.Config.Authorize that applies the rule and then asks next about those it
// admits; with a nil next it only compares scopes. It does not wait.
func (r *Rule) Authorize(next func(*session.Admission) error) func(*session.Admission) error {
	return func(a *session.Admission) error {
		if a.Why == session.Opening || a.Why == session.ResumingElsewhere {
			if err := r.admits(time.Now(), a); err != nil {
				return err
			}
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

// admits returns why a player may not come.
func (r *Rule) admits(now time.Time, a *session.Admission) error {
	k := r.now.Load()
	switch {
	case r.drains.Load() && a.Why == session.Opening:
		return session.Refusal(session.ReasonShutdown)
	case k == nil || r.Ready() != nil:
		return session.Refusal(session.ReasonUnavailable)
	case k.state == Allocated, r.config.Unallocated:
	default:
		r.refresh(now)
		return session.Refusal(session.ReasonUnavailable)
	}
	if (k.Scope == "" || k.Scope == a.Claims.Scope) && k.lists(a.Claims.Subject) {
		return nil
	}
	if now.Sub(k.at) > refreshEvery {
		r.refresh(now)
		return session.Refusal(session.ReasonUnavailable)
	}
	return session.Refusal(session.ReasonScope)
}

// refresh has the GameServer asked for, once in refreshEvery at most.
func (r *Rule) refresh(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.asked) < refreshEvery {
		return
	}
	r.asked = now
	select {
	case r.ask <- struct{}{}:
	default: // it is about to be
	}
}
