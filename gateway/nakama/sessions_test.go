package nakama

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	secretOfSessions = "a session key of 32 bytes or more"
	userOfSessions   = "8750a1c4-ef1b-40f0-bed5-12c1a429f1d7"
)

// nakamaToken is a session token as Nakama 3.40.0 makes it.
func nakamaToken(key string, exp time.Time) string {
	return nakamaTokenOf("d3ff70a3-7e85-4cc8-99ba-fee526275573", key, exp)
}

// nakamaTokenOf is one of a sign-in.
func nakamaTokenOf(signIn, key string, exp time.Time) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	text := part(`{"alg":"HS256","typ":"JWT"}`) + "." + part(fmt.Sprintf(
		`{"tid":%q,"uid":%q,"usn":"anna","exp":%d,"iat":%d}`, signIn, userOfSessions, exp.Unix(), time.Now().Unix()))
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// "remembers each player's newest one", and none that does not verify.
func TestSessions(t *testing.T) {
	t.Parallel()
	s, err := NewSessions([]byte(secretOfSessions), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	later, sooner := nakamaToken(secretOfSessions, now.Add(20*time.Minute)), nakamaToken(secretOfSessions, now.Add(10*time.Minute))
	for _, raw := range []string{
		nakamaToken(secretOfSessions+"x", now.Add(time.Minute)), nakamaToken(secretOfSessions, now.Add(-time.Minute)),
		nakamaToken(secretOfSessions, now.Add(2*time.Hour)), "", "a.b.c",
	} {
		if c, err := s.Verify(t.Context(), now, []byte(raw)); err == nil {
			t.Errorf("%s is verified: %+v", raw, c)
		}
	}
	if _, ok := s.of(userOfSessions); ok {
		t.Error("a token that does not verify is remembered")
	}
	for _, raw := range []string{later, sooner} {
		c, err := s.Verify(t.Context(), now, []byte(raw))
		if err != nil || c.Subject != userOfSessions || c.Issuer != SessionIssuer {
			t.Fatalf("%+v, %v", c, err)
		}
		if have, _ := s.of(userOfSessions); have != later {
			t.Error("another token than the newest is remembered")
		}
	}
	for _, key := range []string{"", "short", "defaultencryptionkey, and more than 32 bytes"} {
		if _, err := NewSessions([]byte(key), time.Hour); err == nil {
			t.Errorf("the key %q is taken", key)
		}
	}
	if d := time.Until(expiry(later)); d < 19*time.Minute || d > 21*time.Minute || !expiry("a.b").IsZero() || !expiry("a.e30.c").Equal(time.Unix(0, 0)) {
		t.Errorf("the token ends in %v", d)
	}
}

// "the player may have signed in on two devices, and logged out on one": that ends no session of the
// other, whichever token is the newer one, and a token that Nakama refuses is not tried for ever.
func TestLoggedOutElsewhere(t *testing.T) {
	t.Parallel()
	now := time.Now()
	of := func(signIn string, d time.Duration) string {
		return nakamaTokenOf(signIn, secretOfSessions, now.Add(d))
	}
	older, newer, former := of("one", 20*time.Minute), of("two", 30*time.Minute), of("two", 25*time.Minute)
	for _, shown := range [][]string{
		{older, newer}, {newer, older}, {older, newer, older, older}, {newer, older, newer}, {older, former, newer, newer}, {older, newer, former},
	} {
		s, err := NewSessions([]byte(secretOfSessions), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range shown {
			if _, err := s.Verify(t.Context(), now, []byte(raw)); err != nil {
				t.Fatal(err)
			}
		}
		l := &link{credential: credential{sessions: s, subject: userOfSessions}}
		for i, want := range []string{newer, older} {
			raw, err := l.credential.token(t.Context())
			if err != nil || raw != want {
				t.Fatalf("attempt %d: %v, and the wrong token: %t", i, err, raw != want)
			}
			if _, final := errors.AsType[*ending](l.unauthorized(raw)); final != (raw == older) {
				t.Errorf("attempt %d: the end: %t", i, final)
			}
		}
	}
}

func TestCollector(t *testing.T) {
	t.Parallel()
	b, err := New(Config{URL: "http://127.0.0.1:1", ServerKey: "key"})
	if err != nil {
		t.Fatal(err)
	}
	b.counts.joined.Add(3)
	b.counts.rejoined.Add(1)
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(b.Collector()); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text, rows strings.Builder
	for _, f := range families {
		label := f.GetMetric()[0].GetLabel()[0].GetName()
		rows.WriteString(fmt.Sprintf("| `%s` | counter | `%s` | %s |\n", f.GetName(), label, f.GetHelp()))
		for _, m := range f.GetMetric() {
			text.WriteString(fmt.Sprintln(f.GetName(), m.GetLabel()[0].GetValue(), m.GetCounter().GetValue()))
		}
	}
	for _, want := range []string{"sallyport_nakama_joins_total first 2\n", "sallyport_nakama_joins_total again 1\n", "sallyport_nakama_ends_total over 0\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in\n%s", want, text.String())
		}
	}
	document, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(document), rows.String()) {
		t.Errorf("docs/deploy.md lacks these rows:\n%s", rows.String())
	}
}

// What a client says in HELLO is taken or refused, and what is taken is a match id that a query can hold.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"match_id":"` + matchOne + `","metadata":{"a":"b"},"sender":true}`))
	f.Add([]byte(`{"match_id":"0b5f3f0e-0000-4000-8000-000000000001.n OR *"}`))
	f.Add([]byte("match:" + matchOne + " sender"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseRequest(b); err == nil && strings.ContainsAny(r.MatchID, " :*\"/\\+()[]{}^~?&|!<>=") {
			t.Errorf("%q is taken as a match id", r.MatchID)
		}
		if r, ok := parseScope(string(b)); ok && !matchID(r.MatchID) {
			t.Errorf("%q is taken as a match id", r.MatchID)
		}
	})
}
