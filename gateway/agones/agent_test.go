package agones

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// The SDK server may start after us: what is called is called again, soon, and logged once.
func TestSDKServerStartsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPod(t, "late")
		defer p.runs()()
		p.after(7 * time.Second)
		if p.log.count("level=ERROR") != 0 || p.log.count("does not answer yet") > 2 || p.log.count("call=watch") != 1 {
			t.Errorf("before: %s", p.log.b.String())
		}
		defer p.start()()
		p.after(startMost + 3*time.Second)
		if p.State() != "Ready" || p.called("POST /ready") != 1 || p.Health() == 0 || p.agent.GameServer() == nil {
			t.Errorf("state %s, calls %v, %d health", p.State(), p.Calls(), p.Health())
		}
	})
}

// Changes of state are queued: the agent is done when the watch says so, and asks again where it does not.
func TestReadyIsConfirmed(t *testing.T) {
	inPod(t, func(p *pod) {
		p.Lag = time.Second
		defer p.runs()()
		p.after(500 * time.Millisecond)
		if p.State() != "Scheduled" || p.called("POST /ready") != 1 {
			t.Errorf("%s, %v", p.State(), p.Calls())
		}
		p.after(2 * time.Second)
		if p.State() != "Ready" || p.called("POST /ready") != 1 {
			t.Errorf("%s, %v", p.State(), p.Calls())
		}
	})
	inPod(t, func(p *pod) {
		p.Lag = time.Hour // the change is lost
		defer p.runs()()
		p.after(readyRepeat + time.Second)
		if n := p.called("POST /ready"); n != 2 {
			t.Errorf("asked %d times", n)
		}
		p.SetState("Ready")
		p.after(3 * readyRepeat)
		if n := p.called("POST /ready"); n > 3 {
			t.Errorf("asked %d times", n)
		}
	})
}

// Ready takes an allocation back: an agent that starts again in a pod that plays does not call it.
func TestRestartKeepsAllocation(t *testing.T) {
	for _, state := range []string{"Allocated", "Reserved", "Ready", "Unhealthy"} {
		inPod(t, func(p *pod) {
			p.SetState(state)
			defer p.runs()()
			p.after(time.Minute)
			if p.called("POST /ready") != 0 || p.State() != state || p.Health() == 0 {
				t.Errorf("%s: now %s, %v", state, p.State(), p.Calls())
			}
		})
	}
}

// Health is confirmed only while both sides are well, and Ready not before; it is logged once.
func TestHealthOnlyWhenWell(t *testing.T) {
	inPod(t, func(p *pod) {
		p.sick.Store(true)
		defer p.runs()()
		p.after(10 * time.Second)
		if p.Health() != 0 || p.State() != "Scheduled" || p.log.count("not well") != 1 || p.agent.Stats().Unwell == 0 {
			t.Errorf("sick: %d, %s, %s", p.Health(), p.State(), p.log.b.String())
		}
		p.sick.Store(false)
		p.after(10 * time.Second)
		n := p.Health()
		if n < 5 || n > 8 || p.State() != "Ready" || p.log.count("well again") != 1 { // each 1.5 s: half of the spec's period
			t.Errorf("well: %d in 10 s, %s", n, p.State())
		}
		p.sick.Store(true)
		p.after(10 * time.Second)
		if p.Health() > n+1 || p.log.count("not well") != 2 {
			t.Errorf("sick again: %d, before %d", p.Health(), n)
		}
	})
}

// An SDK server that answers 500, says nothing or is cut off: nothing of what is known is lost, each kind
// of call is logged once and back once, and all goes on.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct{ begin, end func(*pod) }{
		"500":     {func(p *pod) { p.Fault("", 500, `{"code":2,"message":"broken"}`); p.Cut() }, func(p *pod) { p.Fault("", 0, "") }},
		"rubbish": {func(p *pod) { p.Fault("", 200, `{"result": 7}`+"\n"+`<html>`); p.Cut() }, func(p *pod) { p.Fault("", 0, "") }},
		"silent":  {func(p *pod) { p.Silence(true) }, func(p *pod) { p.Silence(false) }},
		"redirect": {func(p *pod) {
			p.Fault("", 302, "")
			p.Cut()
		}, func(p *pod) { p.Fault("", 0, "") }},
	} {
		t.Run(name, func(t *testing.T) {
			inPod(t, func(p *pod) {
				rule := NewRule(RuleConfig{})
				defer p.runs(func(c *AgentConfig) { c.Rule = rule })()
				p.after(time.Second)
				p.Allocate(map[string]string{KeyScope: "match-7"})
				p.after(time.Second)
				c.begin(p)
				p.after(5 * time.Minute)
				if a, ok := rule.Assignment(); !ok || a.Scope != "match-7" || rule.Ready() != nil || p.drains() != "[]" {
					t.Errorf("%+v, %v, %s", a, rule.Ready(), p.drains())
				}
				if n := p.log.count("level=ERROR"); n == 0 || n > 3 {
					t.Errorf("%d lines: %s", n, p.log.b.String())
				}
				if p.agent.Stats().Failures > 5*60*60 {
					t.Errorf("%+v", p.agent.Stats())
				}
				watches := p.called("GET /watch/gameserver")
				if watches > 20 {
					t.Errorf("%d watches in 5 min", watches)
				}
				c.end(p)
				p.after(retryMost + silence + 5*time.Second)
				before := p.Health()
				p.Annotate(KeyScope, "match-8")
				p.after(3 * time.Second)
				if a, _ := rule.Assignment(); a.Scope != "match-8" || p.Health() == before || p.log.count("succeed") == 0 {
					t.Errorf("afterwards: %+v, health %d: %s", a, p.Health()-before, p.log.b.String())
				}
			})
		})
	}
}

// A watch that has been cut without a word: the GameServer is asked for.
func TestSilentWatch(t *testing.T) {
	inPod(t, func(p *pod) {
		defer p.runs()()
		p.after(time.Second)
		before := p.agent.Stats().Updates
		p.after(2*silence + time.Second)
		if n := p.agent.Stats().Updates - before; n != 2 || p.called("GET /gameserver") != 2 || p.called("GET /watch/gameserver") != 1 {
			t.Errorf("%d updates, %v", n, p.Calls())
		}
	})
}

// A drain begins with the annotation, with Shutdown and with deletion, once for each destination; the
// former one ends first. Then Agones is told to end the pod, unless it does already.
func TestDrain(t *testing.T) {
	for name, c := range map[string]struct {
		does     func(*pod)
		want     string
		shutdown bool
	}{
		"annotation":   {func(p *pod) { p.Annotate(KeyDrain, "game-2.example:7777") }, `["game-2.example:7777"]`, true},
		"nowhere":      {func(p *pod) { p.Annotate(KeyDrain, "yes") }, `[""]`, true},
		"label":        {func(p *pod) { p.Label(KeyDrain, "true") }, `[""]`, true},
		"malformed":    {func(p *pod) { p.Annotate(KeyDrain, "game 2:99999") }, `[""]`, true},
		"shutdown":     {func(p *pod) { p.SetState("Shutdown") }, `[""]`, false},
		"deleted":      {func(p *pod) { p.Annotate(KeyDrain, "[2001:db8::1]:7777"); p.Delete() }, `["[2001:db8::1]:7777"]`, false},
		"no":           {func(p *pod) { p.Annotate(KeyDrain, "no") }, `[]`, false},
		"twice":        {func(p *pod) { p.Annotate(KeyDrain, "a:1"); p.after(time.Second); p.Annotate("x", "y") }, `["a:1"]`, true},
		"elsewhere":    {func(p *pod) { p.Annotate(KeyDrain, "a:1"); p.after(time.Second); p.Annotate(KeyDrain, "b:2") }, `["a:1" "b:2"]`, true},
		"then at once": {func(p *pod) { p.Annotate(KeyDrain, "a:1"); p.after(time.Second); p.SetState("Shutdown") }, `["a:1"]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			inPod(t, func(p *pod) {
				p.stay = 5 * time.Second
				defer p.runs()()
				p.after(time.Second)
				p.Allocate(nil)
				p.after(time.Second)
				c.does(p)
				p.after(3 * time.Second)
				if n := p.called("POST /shutdown"); n != 0 {
					t.Error("the pod is to end before its players have gone")
				}
				health := p.Health()
				p.after(20 * time.Second)
				if got := p.drains(); got != c.want {
					t.Errorf("drained to %s, want %s", got, c.want)
				}
				if drains := p.agent.Stats().Drains > 0; drains != (c.want != `[]`) {
					t.Errorf("drains: %v", drains)
				}
				if done := p.called("POST /shutdown") > 0; done != c.shutdown {
					t.Errorf("shutdown called: %v", done)
				}
				if p.Health() == health {
					t.Error("a server that drains is well, and does not say so")
				}
			})
		})
	}
}

// What Shutdown answers may be lost, and is asked again; the time of a drain is the annotation's.
func TestDrainWithin(t *testing.T) {
	inPod(t, func(p *pod) {
		p.stay = time.Hour
		defer p.runs()()
		p.after(time.Second)
		p.Fault("/shutdown", 500, "")
		p.Annotate(KeyWithin, "2m")
		p.Annotate(KeyDrain, "a:1")
		p.after(2*time.Minute - time.Second)
		if n := p.called("POST /shutdown"); n != 0 {
			t.Error("too early")
		}
		p.after(30 * time.Second)
		if n := p.called("POST /shutdown"); n < 2 || n > 12 || p.log.count("call=shutdown") != 1 || p.log.count("players are left") != 1 {
			t.Errorf("%d calls: %s", n, p.log.b.String())
		}
		p.Fault("/shutdown", 0, "")
		p.after(retryMost)
		if p.State() != "Shutdown" {
			t.Error(p.State())
		}
		if got := p.drains(); got != `["a:1"]` {
			t.Error(got)
		}
	})
}

// The List and the Counter follow who plays; a List that nobody has declared is logged once, and asked for
// less and less.
func TestPublish(t *testing.T) {
	players := func(p *pod) func() []string {
		return func() []string {
			p.mu.Lock()
			defer p.mu.Unlock()
			return append([]string(nil), p.players...)
		}
	}
	inPod(t, func(p *pod) {
		defer p.runs(func(c *AgentConfig) { c.Players, c.List, c.Counter = players(p), "players", "players" })()
		for _, now := range [][]string{{"b", "a", "b"}, {"a"}, nil, {"c"}} {
			p.mu.Lock()
			p.players = now
			p.mu.Unlock()
			p.after(publishEvery + 100*time.Millisecond)
			list, count := p.Players()
			want := map[int]string{3: "[a b] 2", 1: "[" + fmt.Sprint(append(now, "")[0]) + "] 1", 0: "[] 0"}[len(now)]
			if got := fmt.Sprint(list, " ", count); got != want {
				t.Errorf("%v: %s, want %s", now, got, want)
			}
		}
		n := p.called("PATCH /v1beta1/lists/players")
		if p.after(time.Minute); p.called("PATCH /v1beta1/lists/players") != n {
			t.Error("what has not changed is published again")
		}
	})
	inPod(t, func(p *pod) {
		p.players = []string{"a"}
		defer p.runs(func(c *AgentConfig) { c.Players, c.List = players(p), "undeclared" })()
		p.after(5 * time.Minute)
		if n := p.called("PATCH /v1beta1/lists/undeclared"); n == 0 || n > 20 || p.log.count("undeclared") != 1 {
			t.Errorf("%d calls, %s", n, p.log.b.String())
		}
	})
}

// A configuration that cannot work is an error that names the field.
func TestAgentConfig(t *testing.T) {
	client, err := NewClient(Address())
	if err != nil {
		t.Fatal(err)
	}
	well := func() error { return nil }
	for name, c := range map[string]AgentConfig{
		"Client":  {Well: well},
		"Well":    {Client: client},
		"Within":  {Client: client, Well: well, Within: -1},
		"Players": {Client: client, Well: well, List: "players"},
	} {
		if _, err := NewAgent(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, address := range []string{"", "127.0.0.1:9358", "https://127.0.0.1", "http://", "http://a/b", "http://u@h", "http://h?x=y"} {
		if _, err := NewClient(address); !errors.Is(err, ErrConfig) {
			t.Errorf("%q: %v", address, err)
		}
	}
	t.Setenv("AGONES_SDK_HTTP_PORT", "1234")
	if got := Address(); got != "http://127.0.0.1:1234" {
		t.Error(got)
	}
	t.Setenv("AGONES_SDK_HTTP_PORT", "x")
	if got := Address(); got != "http://127.0.0.1:"+DefaultPort {
		t.Error(got)
	}
}

// Each call of the client is the one of Agones' reference.
func TestCalls(t *testing.T) {
	inPod(t, func(p *pod) {
		ctx := context.Background()
		for call, f := range map[string]func() error{
			"POST /ready":               func() error { return p.client.Ready(ctx) },
			"POST /allocate":            func() error { return p.client.Allocate(ctx) },
			"POST /reserve":             func() error { return p.client.Reserve(ctx, 1500*time.Millisecond) },
			"POST /shutdown":            func() error { return p.client.Shutdown(ctx) },
			"PUT /metadata/label":       func() error { return p.client.SetLabel(ctx, "k", "v") },
			"PUT /metadata/annotation":  func() error { return p.client.SetAnnotation(ctx, "k", "w") },
			"GET /v1beta1/lists/none":   func() error { _, err := p.client.List(ctx, "none"); return wantStatus(err) },
			"GET /v1beta1/counters/no":  func() error { _, err := p.client.Counter(ctx, "no"); return wantStatus(err) },
			"PATCH /v1beta1/lists/none": func() error { return wantStatus(p.client.SetList(ctx, "none", nil)) },
		} {
			if err := f(); err != nil || p.called(call) != 1 {
				t.Errorf("%s: %v, %v", call, err, p.Calls())
			}
		}
		if err := p.client.Health(ctx); err != nil || p.Health() != 1 {
			t.Error(err)
		}
		g, err := p.client.GameServer(ctx)
		if err != nil || g.Name != "game-1" || g.Labels["agones.dev/sdk-k"] != "v" || g.Annotations["agones.dev/sdk-k"] != "w" ||
			g.Health.Period != 3*time.Second || g.Lists["players"].Capacity != 1000 || g.Counters["players"].Capacity != 1000 || g.Ports[0].Port != 7777 {
			t.Errorf("%+v, %v", g, err)
		}
		for i := range 2 { // the second time there is nothing to do
			if err := errors.Join(p.client.AddValue(ctx, "players", "ann"), p.client.SetCount(ctx, "players", 7)); err != nil {
				t.Error(i, err)
			}
		}
		if err := errors.Join(p.client.AddCount(ctx, "players", -2), p.client.AddCount(ctx, "players", 0)); err != nil {
			t.Error(err)
		}
		if l, err := p.client.List(ctx, "players"); err != nil || fmt.Sprint(l) != "{1000 [ann]}" {
			t.Error(l, err)
		}
		if c, err := p.client.Counter(ctx, "players"); err != nil || c != (Counter{5, 1000}) {
			t.Error(c, err)
		}
		for i := range 2 {
			if err := p.client.RemoveValue(ctx, "players", "ann"); err != nil {
				t.Error(i, err)
			}
		}
		if err := wantStatus(p.client.SetCount(ctx, "players", 1001)); err != nil {
			t.Error(err)
		}
	})
}

// wantStatus returns nil for the SDK server's refusal.
func wantStatus(err error) error {
	if e, ok := errors.AsType[*StatusError](err); ok && e.Status == 500 && e.Code == 2 && e.Message != "" {
		return nil
	}
	return fmt.Errorf("want a StatusError, not %w", err)
}
