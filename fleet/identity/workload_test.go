package identity_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
)

// "It waits until ctx ends for a Workload API that has none yet", and says what to do about it.
func TestNoAgent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err := identity.New(ctx, identity.Config{Socket: "unix:///nowhere/agent.sock"})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "is the agent running") {
		t.Error(err)
	}
}

// An agent that comes late is found, and so is a service that is registered late.
func TestLateAgent(t *testing.T) {
	t.Parallel()
	path := identity.GameState.Path()
	a := identitytest.New(t)
	agent := a.Serve(t, path)
	agent.Set()
	agent.Stop()
	time.AfterFunc(200*time.Millisecond, agent.Start)
	time.AfterFunc(500*time.Millisecond, func() { agent.Set(a.Issue(path)) })
	var w witness
	s := a.Source(t, path, w.watch, func(c *identity.Config) { c.Socket = agent.Address() })
	if s.Status().ID != a.ID(path) {
		t.Errorf("%+v", s.Status())
	}
	if l := w.lines("does not answer"); len(l) == 0 || !strings.Contains(l[0], "register this service") {
		t.Errorf("no word about the agent: %s", w.log.String())
	}
}

// An agent that restarts changes nothing, and no alarm is raised; what it issues next is used. A service that is no
// longer registered keeps its certificate until that expires.
func TestAgentRestarts(t *testing.T) {
	t.Parallel()
	path := identity.GameState.Path()
	a := identitytest.New(t)
	agent := a.Serve(t, path)
	var w witness
	s := a.Source(t, path, w.watch, func(c *identity.Config) { c.Socket = agent.Address() })
	agent.Stop()
	soon(t, "failure", func() bool { return s.Status().LastFailure != "" })
	agent.Start()
	soon(t, "agent is back", func() bool { return s.Status().LastFailure == "" })
	if st := s.Status(); st.Updates != 1 || len(w.all(audit.KeyRotation)) != 1 || len(w.all(audit.Alarm)) != 0 {
		t.Errorf("a restart alone: %+v", st)
	}
	a.Rotate()
	soon(t, "rotation", func() bool { return s.Status().Updates == 2 })
	agent.Set()
	agent.Stop()
	agent.Start()
	soon(t, "not registered", func() bool { return strings.Contains(s.Status().LastFailure, "no identity issued") })
	if err := meet(s, shown(a.Issue(identity.Operator.Path()))[0]); err != nil {
		t.Errorf("the last certificate is not used: %v", err)
	}
}

// "A certificate of another id is never used": of several the service's own, and none where that is missing.
func TestSeveralCertificates(t *testing.T) {
	t.Parallel()
	path := identity.GameState.Path()
	a := identitytest.New(t)
	agent := a.Serve(t, path)
	agent.Set(a.Issue(identity.Operator.Path()), a.Issue(path))
	var w witness
	s := a.Source(t, path, w.watch, func(c *identity.Config) { c.Socket, c.ID = agent.Address(), a.ID(path) })
	if s.Status().ID != a.ID(path) {
		t.Errorf("%+v", s.Status())
	}
	agent.Set(a.Issue(identity.Operator.Path()))
	soon(t, "alarm", func() bool { return len(w.all(audit.Alarm)) == 1 })
	if st := s.Status(); st.Updates != 1 || st.ID != a.ID(path) || !strings.Contains(st.LastFailure, "none of 1 certificates is that of") {
		t.Errorf("%+v", st)
	}
}

// The environment names the agent, as SPIFFE has it, and it goes before files.
func TestEnvironment(t *testing.T) {
	a := identitytest.New(t)
	path := identity.GameState.Path("by-agent")
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", a.Serve(t, path).Address())
	if s := a.Source(t, identity.GameState.Path("by-file")); s.Status().ID != a.ID(path) {
		t.Errorf("%+v", s.Status())
	}
}
