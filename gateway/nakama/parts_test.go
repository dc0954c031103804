package nakama

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/internal/aging"
	"github.com/sallyport/sallyport/nakamabridge"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	sessions, err := NewSessions([]byte(strings.Repeat("k", 32)), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	good := Config{URL: "http://127.0.0.1:7350", ServerKey: "key"}
	for name, c := range map[string]struct {
		change func(*Config)
		field  string // empty if it is good
	}{
		"good":           {func(*Config) {}, ""},
		"https":          {func(c *Config) { c.URL = "https://nakama.example:7350/" }, ""},
		"sessions":       {func(c *Config) { c.ServerKey, c.Sessions = "", sessions }, ""},
		"no url":         {func(c *Config) { c.URL = "" }, "URL"},
		"ws":             {func(c *Config) { c.URL = "ws://127.0.0.1" }, "URL"},
		"query":          {func(c *Config) { c.URL += "?a=b" }, "URL"},
		"nobody":         {func(c *Config) { c.ServerKey = "" }, "ServerKey"},
		"both":           {func(c *Config) { c.Sessions = sessions }, "ServerKey"},
		"short secret":   {func(c *Config) { c.Secret = make([]byte, 15) }, "Secret"},
		"secret, no key": {func(c *Config) { c.ServerKey, c.Sessions, c.Secret = "", sessions, make([]byte, 16) }, "Secret"},
		"input":          {func(c *Config) { c.MaxInput = 64<<10 + 1 }, "MaxInput"},
		"stay":           {func(c *Config) { c.Stay = -1 }, "Stay"},
		"dials":          {func(c *Config) { c.Dials = -1 }, "Dials"},
	} {
		config := good
		c.change(&config)
		_, err := New(config)
		if c.field == "" && err != nil || c.field != "" && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.field)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for url, clear := range map[string]bool{
		"http://127.0.0.1:7350": false, "http://localhost": false, "http://[::1]:1": false, "https://nakama": false, "http://nakama:7350": true,
	} {
		c := Config{URL: url}
		if c.clear() != clear {
			t.Errorf("%s: %v", url, !clear)
		}
	}
}

// "A Backend whose players need more than a snapshot holds … then a Config with Transport.Snapshot is an
// error.": restored players would end here, and those who state their scope resume without a snapshot.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	b, err := New(Config{URL: "http://127.0.0.1:1", ServerKey: "key"})
	if err != nil {
		t.Fatal(err)
	}
	c := gateway.Config{Backend: b}
	if _, err := c.WithDefaults(); err != nil {
		t.Errorf("without: %v", err)
	}
	c.Transport.Snapshot = "snapshot"
	if _, err := gateway.New(c); !errors.Is(err, gateway.ErrConfig) || !strings.Contains(err.Error(), "Snapshot") {
		t.Errorf("with: %v", err)
	}
}

// "a JSON object … match_id, metadata, sender, presences"
func TestRequest(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		`{"match_id":"` + matchOne + `"}`:                                    true,
		`{"match_id":"` + matchOne + `","sender":true,"metadata":{"a":"b"}}`: true,
		`{"match_id":"0b5f3f0e-0000-4000-8000-000000000001."}`:               true, // relayed
		`{"match_id":"0b5f3f0e-0000-4000-8000-000000000001"}`:                false,
		`{"match_id":"0b5f3f0e-0000-4000-8000-000000000001.n OR *"}`:         false,
		`{"match_id":"x.node1"}`:                                             false,
		`{"match_id":"` + matchOne + strings.Repeat("x", 100) + `"}`:         false,
		`{"match_id":7}`: false,
		`{"match_id":"` + matchOne + `","metadata":{"a":1}}`:                                  false,
		`{"match_id":"` + matchOne + `","metadata":{"a":"` + strings.Repeat("b", 512) + `"}}`: false,
		`{}`: false, ``: false, `[]`: false, `null`: false,
	} {
		if _, err := parseRequest([]byte(text)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	for scope, want := range map[string]string{
		"match:" + matchOne:                       matchOne + " false false",
		"match:" + matchOne + " sender":           matchOne + " true false",
		"match:" + matchOne + " presences sender": matchOne + " true true",
		"match:" + matchOne + " admin":            "",
		"match:":                                  "",
		matchOne:                                  "",
		"":                                        "",
	} {
		r, ok := parseScope(scope)
		if have := fmt.Sprint(r.MatchID, " ", r.Sender, " ", r.Presences); ok != (want != "") || ok && have != want {
			t.Errorf("%q: %s, %v", scope, have, ok)
		}
	}
}

// named is a session of which no more than the name is asked.
type named struct {
	session.Session
	name byte
}

func (n named) Name() [16]byte { return [16]byte{n.name} }

func TestAuthorize(t *testing.T) {
	t.Parallel()
	own, err := New(Config{URL: "http://127.0.0.1:1", ServerKey: "key"})
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := NewSessions([]byte(strings.Repeat("k", 32)), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := New(Config{URL: "http://127.0.0.1:1", Sessions: sessions})
	if err != nil {
		t.Fatal(err)
	}
	const ask, scope = `{"match_id":"` + matchOne + `"}`, "match:" + matchOne
	other := "match:" + strings.Replace(matchOne, "1.", "2.", 1)
	for _, c := range []struct {
		name     string
		backend  *Backend
		why      session.Purpose
		scope    string
		own      string // the token's
		metadata string
		want     error
	}{
		{"plain", own, session.Opening, "", "", ask, nil},
		{"with scope", own, session.Opening, scope, "", ask, nil},
		{"a scope of Cognito's", own, session.Opening, "", "aws.cognito.signin.user.admin", ask, nil},
		{"bound", own, session.Opening, scope, scope, ask, nil},
		{"bound to another", own, session.Opening, scope, other, ask, session.Refusal(session.ReasonScope)},
		{"bound, not asked", own, session.Opening, "", scope, ask, session.Refusal(session.ReasonScope)},
		{"bound, among other scopes", own, session.Opening, scope, "openid " + scope + " profile", ask, nil},
		{"bound to another, among other scopes", own, session.Opening, scope, "openid " + other, ask, session.Refusal(session.ReasonScope)},
		{"bound to two", own, session.Opening, scope, other + " " + scope, ask, nil},
		{"bound to nothing", own, session.Opening, scope, "match:", ask, session.Refusal(session.ReasonScope)},
		{"bound, not asked, among other scopes", own, session.Opening, "", "openid " + scope, ask, session.Refusal(session.ReasonScope)},
		{"two matches", own, session.Opening, other, "", ask, session.Refusal(session.ReasonScope)},
		{"no scope of ours", own, session.Opening, "lobby", "", ask, session.Refusal(session.ReasonScope)},
		{"no request", own, session.Opening, scope, "", "", session.Refusal(session.ReasonMalformed)},
		{"renewed", own, session.Renewing, "", "", "", nil},
		{"renewed, bound", own, session.Renewing, "", scope, "", nil},
		{"resumed here", own, session.Resuming, "", "", "", nil},
		{"resumed here, bound", own, session.Resuming, scope, scope, "", nil},
		{"resumed here, bound, not asked", own, session.Resuming, "", scope, "", nil},
		{"resumed elsewhere, bound", own, session.ResumingElsewhere, scope, scope, "", nil},
		{"resumed elsewhere, bound to another", own, session.ResumingElsewhere, scope, other, "", session.Refusal(session.ReasonScope)},
		{"resumed elsewhere", own, session.ResumingElsewhere, scope, "", "", nil},
		{"resumed elsewhere, without scope", own, session.ResumingElsewhere, "", "", "", session.Refusal(session.ReasonTicket)},
		{"resumed elsewhere, by Nakama's session", theirs, session.ResumingElsewhere, scope, "", "", session.Refusal(session.ReasonTicket)},
	} {
		a := &session.Admission{Why: c.why, Claims: &token.Claims{Subject: "s", Scope: c.own}, Scope: c.scope, Metadata: []byte(c.metadata)}
		if c.why != session.Opening {
			a.Session = named{name: byte(len(c.name))}
		}
		if err := c.backend.Authorize(a); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// A session that comes back to a gateway which knows its request keeps all of it, since a scope has no
// metadata; for another match there is the scope alone. Either is there when the player joins, whoever has
// come meanwhile.
func TestRequestIsKept(t *testing.T) {
	t.Parallel()
	b, err := New(Config{URL: "http://127.0.0.1:1", ServerKey: "key"})
	if err != nil {
		t.Fatal(err)
	}
	said := request{MatchID: matchOne, Metadata: map[string]string{"team": "red"}, Sender: true, Presences: true}
	matchTwo := strings.Replace(matchOne, "1.", "2.", 1)
	for scope, want := range map[string]request{
		"":                              said,
		"match:" + matchOne:             said,
		"match:" + matchTwo:             {MatchID: matchTwo},
		"match:" + matchTwo + " sender": {MatchID: matchTwo, Sender: true},
	} {
		s := named{name: byte(len(scope))}
		name := s.Name()
		b.scopes = aging.New[request](1)
		b.scopes.Put(string(name[:]), said)
		b.scopes.Put("another", request{})
		a := &session.Admission{Why: session.ResumingElsewhere, Claims: &token.Claims{Subject: "s"}, Scope: scope, Session: s}
		if err := b.Authorize(a); err != nil {
			t.Errorf("%q: %v", scope, err)
		}
		b.scopes.Put("a third", request{})
		if have, _ := b.scopes.Get(string(name[:])); !reflect.DeepEqual(have, want) {
			t.Errorf("%q: %+v, want %+v", scope, have, want)
		}
	}
}

// "With Secret … custom ids that nobody else can name"
func TestCustomID(t *testing.T) {
	t.Parallel()
	const issuer, subject = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbC9", "ebc40646-3d13-47b1-95b4-b8be6f9de255"
	want, err := nakamabridge.CustomID(issuer, subject)
	if err != nil {
		t.Fatal(err)
	}
	plain := &Backend{}
	if id, ok := plain.customID(issuer, subject); !ok || id != want {
		t.Errorf("%q, %v, and by the plugin %q", id, ok, want)
	}
	seen := map[string]bool{want: true}
	for _, secret := range []string{"0123456789abcdef", "0123456789abcdeF"} {
		b := &Backend{config: Config{Secret: []byte(secret)}}
		id, ok := b.customID(issuer, subject)
		if again, _ := b.customID(issuer, subject); !ok || seen[id] || id != again || !strings.HasPrefix(id, want+".") || len(id) > 128 {
			t.Errorf("%q, %v", id, ok)
		}
		seen[id] = true
		if _, ok := b.customID(issuer, strings.Repeat("s", 90)); ok {
			t.Error("an id that is too long")
		}
	}
	if _, ok := plain.customID(issuer, "a b"); ok {
		t.Error("an identity that makes no custom id")
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	q := newQueue()
	for i := range unreliableInputs + 10 {
		q.put(int64(i), []byte{byte(i)}, false)
	}
	for i := range 100 {
		q.put(int64(i), []byte(strings.Repeat("r", i)), true)
	}
	var in input
	for i := range 100 {
		if reliable, ok := q.take(&in); !ok || !reliable || in.op != int64(i) || len(in.data) != i {
			t.Fatalf("%d: %d, %d bytes, %v %v", i, in.op, len(in.data), reliable, ok)
		}
	}
	for i := range unreliableInputs {
		if reliable, ok := q.take(&in); !ok || reliable || in.op != int64(i+10) || in.data[0] != byte(i+10) {
			t.Fatalf("%d: %d, %v %v", i, in.op, reliable, ok)
		}
	}
	if _, ok := q.take(&in); ok || q.lost() != 10 || q.lost() != 0 {
		t.Error("the queue is not empty, or has not counted")
	}
	n := 0
	for q.put(1, make([]byte, 936), true) {
		n++
	}
	if want := reliableInputs / 1000; n != want {
		t.Errorf("%d reliable inputs of 1,000 bytes had room, not %d", n, want)
	}
	q.put(1, nil, false)
	q.stale()
	if q.take(&in); q.lost() != 1 || q.unreliable.n != 0 {
		t.Error("stale inputs stay")
	}
	for _, ok := q.take(&in); ok; _, ok = q.take(&in) {
	}
	if q.bytes != 0 {
		t.Errorf("%d bytes wait in an empty queue", q.bytes)
	}
}

// "in the long run nothing allocates"
func TestQueueAllocates(t *testing.T) {
	q, data := newQueue(), make([]byte, 200)
	var in input
	round := func() {
		for i := range 2 * unreliableInputs {
			q.put(1, data, i%2 == 0)
		}
		for _, ok := q.take(&in); ok; _, ok = q.take(&in) {
		}
	}
	round()
	if n := testing.AllocsPerRun(20, round); n > 2 {
		t.Errorf("%v allocations a round", n)
	}
}

// "What is to count has been seen twice, by requests that began after the member had joined."
func TestJudge(t *testing.T) {
	t.Parallel()
	type answer struct {
		n     int
		found bool
		out   int
	}
	for name, answers := range map[string][]answer{
		"runs":              {{1, true, 0}, {1, true, 0}, {2, true, 0}},
		"not indexed yet":   {{0, false, 0}, {0, false, 0}, {0, false, 0}, {1, true, 0}},
		"over":              {{1, true, 0}, {0, false, 0}, {0, false, 1}},
		"missed once":       {{1, true, 0}, {0, false, 0}, {1, true, 0}, {0, false, 0}},
		"empty":             {{0, true, 0}, {0, true, 1}},
		"empty for a while": {{0, true, 0}, {1, true, 0}, {0, true, 0}},
	} {
		b, err := New(Config{URL: "http://127.0.0.1:1", ServerKey: "key"})
		if err != nil {
			t.Fatal(err)
		}
		b.enter(&link{backend: b, want: request{MatchID: matchOne}}, "one")
		for i, a := range answers {
			if out := b.judge(matchOne, time.Now(), a.n, a.found); len(out) != a.out {
				t.Errorf("%s: answer %d puts out %d", name, i, len(out))
			}
		}
		b.enter(&link{backend: b, want: request{MatchID: matchOne}}, "two")
		if name == "empty" {
			if out := b.judge(matchOne, time.Now(), 0, true); len(out) != 1 {
				t.Errorf("one who has joined since is put out, too: %d", len(out))
			}
		}
	}
}
