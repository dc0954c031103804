package agones

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// What an allocator writes is read defensively: what is malformed never lets in more than what is not.
func TestAssignmentOf(t *testing.T) {
	long := strings.Repeat("x", 300)
	for text, c := range map[string]struct {
		key   string
		want  Assignment
		wrong bool
	}{
		"match-7":              {KeyScope, Assignment{Scope: "match-7"}, false},
		" match-8 ":            {KeyScope, Assignment{Scope: "match-8"}, false},
		"":                     {KeyScope, Assignment{Scope: noScope}, true},
		"a\x00b":               {KeyScope, Assignment{Scope: noScope}, true},
		long:                   {KeyScope, Assignment{Scope: noScope}, true},
		"ann, bob\ncid,,ann":   {KeyPlayers, Assignment{Players: []string{"ann", "bob", "cid"}}, false},
		`["ann, esq.", "bob"]`: {KeyPlayers, Assignment{Players: []string{"ann, esq.", "bob"}}, false},
		" ":                    {KeyPlayers, Assignment{Players: []string{}}, false},
		`["ann"`:               {KeyPlayers, Assignment{Players: []string{}}, true},
		`[1, 2]`:               {KeyPlayers, Assignment{Players: []string{}}, true},
		"ann," + long:          {KeyPlayers, Assignment{Players: []string{"ann"}}, true},
		"ann,b\xffb":           {KeyPlayers, Assignment{Players: []string{"ann"}}, true},
		"7":                    {KeyKeyID, Assignment{KeyID: 7}, false},
		"0":                    {KeyKeyID, Assignment{}, true},
		"4294967296":           {KeyKeyID, Assignment{}, true},
		"game-2.example:7777":  {KeyDrain, Assignment{Drain: true, To: "game-2.example:7777"}, false},
		"[2001:db8::1]:7777":   {KeyDrain, Assignment{Drain: true, To: "[2001:db8::1]:7777"}, false},
		"YES":                  {KeyDrain, Assignment{Drain: true}, false},
		"no":                   {KeyDrain, Assignment{}, false},
		"game-2":               {KeyDrain, Assignment{Drain: true}, true},
		"game-2:0":             {KeyDrain, Assignment{Drain: true}, true},
		"10m":                  {KeyWithin, Assignment{Within: 10 * time.Minute}, false},
		"-1s":                  {KeyWithin, Assignment{}, true},
		"25h":                  {KeyWithin, Assignment{}, true},
	} {
		for _, g := range []*GameServer{{Annotations: map[string]string{c.key: text}}, {Labels: map[string]string{c.key: text}}} {
			a, err := AssignmentOf(g)
			if fmt.Sprintf("%+v", a) != fmt.Sprintf("%+v", c.want) || (a.Players == nil) != (c.want.Players == nil) || (err != nil) != c.wrong {
				t.Errorf("%s %q: %+v, %v", c.key, text, a, err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.key) || strings.Contains(err.Error(), "ann")) && c.key != KeyScope {
				t.Errorf("%s %q: %v", c.key, text, err)
			}
		}
	}
	var many strings.Builder
	many.WriteString(strings.Repeat("p ", 0))
	for i := range maxPlayers + 5 {
		many.WriteString(fmt.Sprint("p", i, " "))
	}
	if a, err := AssignmentOf(&GameServer{Annotations: map[string]string{KeyPlayers: many.String()}}); len(a.Players) != maxPlayers || err == nil {
		t.Errorf("%d players, %v", len(a.Players), err)
	}
	if a, err := AssignmentOf(&GameServer{
		Annotations: map[string]string{KeyScope: "a"}, Labels: map[string]string{KeyScope: "b", "other": "c"},
	}); a.Scope != "a" || err != nil || a.Players != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

// No annotation makes it panic, and no player is let in whose name is not in the text.
func FuzzAssignment(f *testing.F) {
	for _, seed := range []string{"ann,bob", `["ann"]`, "[", "\xff", "a:1", "10m", "yes"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, players, other string) {
		a, _ := AssignmentOf(&GameServer{Annotations: map[string]string{
			KeyPlayers: players, KeyScope: other, KeyKeyID: other, KeyDrain: other, KeyWithin: other,
		}})
		if a.Players == nil || a.Scope == "" || a.To != "" && !a.Drain {
			t.Fatalf("%+v", a)
		}
		for _, p := range a.Players {
			if p == "" || !strings.Contains(players, p) && !strings.HasPrefix(strings.TrimSpace(players), "[") {
				t.Fatalf("%q of %q", p, players)
			}
		}
	})
}

// reasonOf returns the reason of a refusal, 0 if there is none.
func reasonOf(err error) session.Reason {
	if r, ok := errors.AsType[session.Refusal](err); ok {
		return session.Reason(r)
	}
	if err != nil {
		return session.ReasonMalformed
	}
	return 0
}

// A player who comes too early is told to come again; one whom nobody has listed is refused for good only
// once the SDK server has said so since. Who plays is not judged.
func TestRule(t *testing.T) {
	asks := func(r *Rule, why session.Purpose, subject, scope string) session.Reason {
		return reasonOf(r.Authorize(nil)(&session.Admission{Why: why, Claims: &token.Claims{Subject: subject, Scope: scope}}))
	}
	for _, c := range []struct {
		name          string
		config        RuleConfig
		state         State
		a             Assignment
		why           session.Purpose
		player, scope string
		want          session.Reason
	}{
		{"before it is allocated", RuleConfig{}, Ready, Assignment{}, session.Opening, "ann", "m", session.ReasonUnavailable},
		{"reserved", RuleConfig{}, Reserved, Assignment{}, session.Opening, "ann", "m", session.ReasonUnavailable},
		{"unallocated is enough", RuleConfig{Unallocated: true}, Ready, Assignment{}, session.Opening, "ann", "m", 0},
		{"anybody", RuleConfig{}, Allocated, Assignment{}, session.Opening, "ann", "m", 0},
		{"of the scope", RuleConfig{}, Allocated, Assignment{Scope: "m"}, session.Opening, "ann", "m", 0},
		{"of another scope", RuleConfig{}, Allocated, Assignment{Scope: "n"}, session.Opening, "ann", "m", session.ReasonScope},
		{"of no scope", RuleConfig{}, Allocated, Assignment{Scope: "n"}, session.Opening, "ann", "", session.ReasonScope},
		{"listed", RuleConfig{}, Allocated, Assignment{Players: []string{"ann"}}, session.Opening, "ann", "m", 0},
		{"listed, by ticket", RuleConfig{}, Allocated, Assignment{Players: []string{"ann"}}, session.ResumingElsewhere, "ann", "m", 0},
		{"not listed", RuleConfig{}, Allocated, Assignment{Players: []string{"ann"}}, session.Opening, "bob", "m", session.ReasonScope},
		{"not listed, by ticket", RuleConfig{}, Allocated, Assignment{Players: []string{"ann"}}, session.ResumingElsewhere, "bob", "m", session.ReasonScope},
		{"nobody", RuleConfig{}, Allocated, Assignment{Players: []string{}}, session.Opening, "ann", "m", session.ReasonScope},
		{"plays, renews", RuleConfig{}, Ready, Assignment{Scope: "n", Players: []string{}}, session.Renewing, "ann", "m", 0},
		{"plays, resumes", RuleConfig{}, Shutdown, Assignment{Scope: "n", Players: []string{}}, session.Resuming, "ann", "m", 0},
		{"without the key", RuleConfig{Keys: func() []uint32 { return []uint32{4} }}, Allocated, Assignment{KeyID: 3}, session.Opening, "ann", "m", session.ReasonUnavailable},
		{"with the key", RuleConfig{Keys: func() []uint32 { return []uint32{4, 3} }}, Allocated, Assignment{KeyID: 3}, session.Opening, "ann", "m", 0},
	} {
		r := NewRule(c.config)
		if c.why == session.Opening && asks(r, c.why, c.player, c.scope) != session.ReasonUnavailable {
			t.Errorf("%s: let in before anything is known", c.name)
		}
		r.set(time.Now(), c.state, c.a)
		if got := asks(r, c.why, c.player, c.scope); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// An answer that was late says how it was when it was asked for: it takes back nothing that the watch
// has said since, and nobody is turned away for what it does not know yet.
func TestLateAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		silent bool // the watch says nothing after the first word
		want   session.Reason
	}{
		"the watch was faster":   {false, 0},
		"the watch says nothing": {true, session.ReasonUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			inPod(t, func(p *pod) {
				p.Late = DefaultTimeout - time.Second
				rule := NewRule(RuleConfig{})
				defer p.runs(func(c *AgentConfig) { c.Rule = rule })()
				p.after(time.Second)
				p.Allocate(map[string]string{KeyPlayers: "ann"})
				p.after(5 * time.Second)
				asks := func(subject string) session.Reason {
					defer synctest.Wait()
					return reasonOf(rule.Authorize(nil)(&session.Admission{Why: session.Opening, Claims: &token.Claims{Subject: subject}}))
				}
				if got := asks("eve"); got != session.ReasonUnavailable || p.called("GET /gameserver") != 1 {
					t.Fatalf("%v, %v", got, p.Calls())
				}
				if c.silent {
					p.Silence(true) // what is under way arrives
				}
				p.after(100 * time.Millisecond)
				p.Annotate(KeyPlayers, "ann bob")
				p.after(p.Late)
				if got := asks("bob"); got != c.want {
					t.Errorf("bob, whom the allocator has listed: %v, want %v", got, c.want)
				}
				if got := asks("ann"); got != 0 {
					t.Errorf("ann: %v", got)
				}
				p.Silence(false)
				p.after(2 * p.Late)
				if got := asks("bob"); got != 0 {
					t.Errorf("bob, later: %v", got)
				}
			})
		})
	}
}

// "While the agent drains the server, newcomers are told session.ReasonShutdown; who resumes here from another server may
// come as before": they would keep it from ever being empty, and be put out at its end.
func TestNobodyNewWhileItDrains(t *testing.T) {
	for name, c := range map[string]struct {
		unallocated bool
		drain       func(*pod)
	}{
		"annotation": {false, func(p *pod) { p.Annotate(KeyDrain, "yes") }},
		"taken back": {false, func(p *pod) { p.Annotate(KeyDrain, "yes"); p.after(time.Second); p.Annotate(KeyDrain, "no") }},
		"shutdown":   {true, func(p *pod) { p.SetState("Shutdown") }},
	} {
		t.Run(name, func(t *testing.T) {
			inPod(t, func(p *pod) {
				rule := NewRule(RuleConfig{Unallocated: c.unallocated})
				p.stay = time.Minute
				defer p.runs(func(c *AgentConfig) { c.Rule, c.Within = rule, time.Minute })()
				p.after(time.Second)
				p.Allocate(map[string]string{KeyPlayers: "ann"})
				p.after(time.Second)
				asks := func(why session.Purpose) session.Reason {
					return reasonOf(rule.Authorize(nil)(&session.Admission{Why: why, Claims: &token.Claims{Subject: "ann"}}))
				}
				if got := asks(session.Opening); got != 0 {
					t.Fatalf("before the drain: %v", got)
				}
				c.drain(p)
				p.after(time.Second)
				if got := asks(session.Opening); got != session.ReasonShutdown {
					t.Errorf("a newcomer: %v", got)
				}
				for _, why := range []session.Purpose{session.Renewing, session.Resuming, session.ResumingElsewhere} {
					if got := asks(why); got != 0 {
						t.Errorf("%v: %v", why, got)
					}
				}
			})
		})
	}
}

// The list is asked for once in a while when somebody comes who is not on it: an allocator that has listed
// the player in the meantime is not late.
func TestLateList(t *testing.T) {
	inPod(t, func(p *pod) {
		rule := NewRule(RuleConfig{})
		defer p.runs(func(c *AgentConfig) { c.Rule = rule })()
		p.after(time.Second)
		p.Allocate(map[string]string{KeyPlayers: "ann"})
		p.after(5 * time.Second)
		asks := func(subject string) session.Reason {
			defer synctest.Wait()
			return reasonOf(rule.Authorize(nil)(&session.Admission{Why: session.Opening, Claims: &token.Claims{Subject: subject}}))
		}
		if got := asks("bob"); got != session.ReasonUnavailable {
			t.Errorf("what is 5 s old is taken for the last word: %v", got)
		}
		if got := asks("bob"); got != session.ReasonScope || p.called("GET /gameserver") != 1 {
			t.Errorf("%v, %v", got, p.Calls())
		}
		p.Silence(true) // and then the watch is late
		p.Annotate(KeyPlayers, "ann bob")
		p.after(5 * time.Second)
		if got := asks("bob"); got != session.ReasonUnavailable {
			t.Errorf("%v", got)
		}
		p.Silence(false)
		p.after(5 * time.Second)
		if got := asks("bob"); got != 0 {
			t.Errorf("listed by now: %v", got)
		}
		before := p.called("GET /gameserver")
		for range 1000 {
			asks("eve")
		}
		if n := p.called("GET /gameserver") - before; n > 2 {
			t.Errorf("a stranger has the SDK server asked %d times", n)
		}
	})
}
