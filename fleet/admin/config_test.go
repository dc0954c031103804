package admin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Errors match ErrConfig and name the field; zero values get their defaults.
func TestConfig(t *testing.T) {
	t.Parallel()
	good := Config{Server: calm{}, Identity: calm{}}
	for field, change := range map[string]func(*Config){
		"Server":        func(c *Config) { c.Server = nil },
		"Identity":      func(c *Config) { c.Identity = nil },
		"PeerPerSecond": func(c *Config) { c.PeerPerSecond = -1 },
		"PerSecond":     func(c *Config) { c.PerSecond = -1 },
		"ShutdownTime":  func(c *Config) { c.ShutdownTime = -1 },
	} {
		c := good
		change(&c)
		if _, err := Handler(c); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), ": "+field+" is ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	c, err := good.WithDefaults()
	if err != nil || c.PeerPerSecond != 20 || c.PerSecond != 400 || c.ShutdownTime != 5*time.Second || c.Revoker == nil || c.Drain == nil {
		t.Errorf("%+v, %v", c, err)
	}
}

// "A session that is renewed or resumed goes on, wherever it has lived", and next decides as it
// did.
func TestDrainAuthorize(t *testing.T) {
	t.Parallel()
	var d Drain
	var asked []session.Purpose
	authorize := d.Authorize(func(a *session.Admission) error {
		asked = append(asked, a.Why)
		return nil
	})
	scopes := d.Authorize(nil)
	all := []session.Purpose{session.Opening, session.Renewing, session.Resuming, session.ResumingElsewhere}
	for _, state := range append([]DrainState{""}, drainStates...) {
		d.now.State, asked = state, nil
		draining := state != "" && state != Serving
		for _, why := range all {
			err := authorize(&session.Admission{Why: why})
			if refused := errors.Is(err, session.Refusal(session.ReasonShutdown)); refused != (draining && why == session.Opening) {
				t.Errorf("%q, %v: %v", state, why, err)
			}
			other := &session.Admission{Why: why, Hosted: "a", Claims: &token.Claims{Scope: "b"}}
			if err := scopes(other); (err == nil) != other.ScopeAgrees() {
				t.Errorf("%q, %v: another match: %v", state, why, err)
			}
		}
		want := all
		if draining {
			want = all[1:]
		}
		if !slices.Equal(asked, want) {
			t.Errorf("%q: next was asked for %v, want %v", state, asked, want)
		}
	}
}

// A service that is refused uses up nothing of what there is for all; one that is idle is forgotten
// to make room; where there is none, newcomers share.
func TestLimiter(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := newLimiter(10, 100)
	for i := range 1000 {
		p, tell := l.take("greedy", now)
		if (p == nil) != (i < 20) || p != nil && p != problemRate || tell != (i <= 20) {
			t.Fatalf("request %d: %v, %v", i, p, tell)
		}
	}
	for n := range 9 { // 180 of the 200 at once are left
		for i := range 20 {
			if p, _ := l.take(fmt.Sprint("service ", n), now); p != nil {
				t.Fatalf("service %d, request %d: %v", n, i, p)
			}
		}
	}
	for i := range 20 { // what is left of all, and its own
		if p, _ := l.take("one more", now); (p == nil) != (i < burstSeconds*ownPerSecond) || p != nil && p != problemBusy {
			t.Fatalf("all of it is used, request %d: %v", i, p)
		}
	}
	now = now.Add(time.Second)
	for i := range 100 {
		if p, _ := l.take("greedy", now); (p == nil) != (i < 10) {
			t.Fatalf("a second later, request %d: %v", i, p)
		}
	}
	l = newLimiter(10, 1_000_000)
	for n := range maxPeers {
		l.take(fmt.Sprint("service ", n), now)
	}
	for i := range 30 { // all are in use: two newcomers share
		if p, _ := l.take(fmt.Sprint("newcomer ", i%2), now); (p == nil) != (i < 20) {
			t.Fatalf("newcomers, request %d: %v", i, p)
		}
	}
	l.take("newcomer 0", now.Add(time.Minute))
	if len(l.peers) != 1 {
		t.Errorf("%d services are remembered", len(l.peers))
	}
}
