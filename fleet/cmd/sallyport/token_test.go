package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

// Each check of a server is seen to fail, under the label that its audit has, and all that stand before it pass.
func TestTokenInspect(t *testing.T) {
	t.Parallel()
	p := testkit.NewIDP(t)
	endpoint := p.Serve(t)
	rules := []string{"-cognito-pool", testkit.Pool, "-cognito-clients", testkit.Client, "-cognito-endpoint", endpoint}
	now := time.Now().Unix()
	with := func(name string, value any) string {
		c := p.Claims("alice")
		c[name] = value
		c["iat"] = now - 300
		if value == nil {
			delete(c, name)
		}
		return p.Sign(t, c, nil)
	}
	good := p.Token(t, "alice")
	header, rest, _ := strings.Cut(good, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	flipped := flip(signature, 10)
	long := p.Claims("alice")
	long["x"] = strings.Repeat("x", 30_000)
	down := testkit.NewIDP(t)
	down.Answer(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) })
	absent := down.Serve(t)
	for name, c := range map[string]struct {
		token string
		args  []string // in place of rules
		label string   // of the failure; empty means good
		text  string   // in the output
	}{
		"good":            {token: good},
		"line feed":       {token: good + "\n", text: "a client that reads a file must do the same"},
		"size":            {token: p.Sign(t, long, nil), label: "size"},
		"white space":     {token: " " + good, label: "white space"},
		"form":            {token: header + "." + claims, label: "form", text: "that is no JWT"},
		"bearer":          {token: "Bearer " + good, label: "form", text: `begins with "Bearer"`},
		"issuer":          {token: with("iss", "https://id.example.com"), label: "issuer"},
		"algorithm":       {token: p.Sign(t, p.Claims("a"), map[string]any{"alg": "RS384"}), label: "algorithm", text: "  alg           \"RS384\"\n"},
		"none":            {token: p.Sign(t, p.Claims("a"), map[string]any{"alg": "none"}), label: "form"},
		"type":            {token: p.Sign(t, p.Claims("a"), map[string]any{"typ": "dpop+jwt"}), label: "type"},
		"claim":           {token: with("sub", nil), label: "claim sub"},
		"ID token":        {token: with("token_use", "id"), label: "claim token_use"},
		"audience":        {token: with("client_id", "another"), label: "audience", text: "  client_id     \"another\"\n"},
		"group":           {token: good, args: append([]string{"-cognito-groups", "admins"}, rules...), label: "group"},
		"expired":         {token: with("exp", now-60), label: "expired", text: "  ok    signature\n"},
		"not yet valid":   {token: with("nbf", now+120), label: "not yet valid", text: "  ok    signature\n"},
		"life":            {token: with("exp", now+7200), label: "life", text: "  ok    signature\n"},
		"key unknown":     {token: p.Sign(t, p.Claims("a"), map[string]any{"kid": "other"}), label: "key unknown", text: "the issuer's keys are \"" + p.KeyIDs()[0] + "\" (RSA RS256)"},
		"key set":         {token: down.Token(t, "alice"), args: []string{"-cognito-pool", testkit.Pool, "-cognito-clients", testkit.Client, "-cognito-endpoint", absent}, label: "key set", text: "status 418"},
		"signature":       {token: header + "." + claims + "." + flipped, label: "signature"},
		"scope":           {token: good, args: append([]string{"-scope", "match-7"}, rules...), label: "scope", text: "  FAIL  scope "},
		"right scope":     {token: good, args: append([]string{"-scope", "aws.cognito.signin.user.admin"}, rules...)},
		"another time":    {token: good, args: append([]string{"-at", "2001-01-01T00:00:00Z"}, rules...), label: "not yet valid"},
		"two things":      {token: expiredForgery(t, p, now), label: "expired, signature", text: "  FAIL  signature"},
		"junk":            {token: "junk", label: "form"},
		"too long for us": {token: p.Sign(t, map[string]any{"x": strings.Repeat("x", 4000)}, nil), label: "issuer", text: "cannot send more than 4096"},
	} {
		args := c.args
		if args == nil {
			args = rules
		}
		status, out, stderr := piped(t, c.token, append([]string{"token", "inspect"}, args...)...)
		verdict := "REFUSED: " + c.label + "\n"
		want := exitFailed
		if c.label == "" {
			verdict, want = "good\n", exitOK
		}
		if status != want || !strings.HasSuffix(out, verdict) || stderr != "" || !strings.Contains(out, c.text) {
			t.Errorf("%s: %d, want %d, %q and %q:\n%s%s", name, status, want, verdict, c.text, out, stderr)
		}
		hidden(t, name, c.token, out)
		if strings.Contains(out, "alice") {
			t.Errorf("%s: names the player:\n%s", name, out)
		}
		_, out, _ = piped(t, c.token, append([]string{"token", "inspect", "-json"}, args...)...)
		var o outcome
		if err := json.Unmarshal([]byte(out), &o); err != nil || o.Good != (c.label == "") || strings.Join(o.Failed, ", ") != c.label {
			t.Errorf("%s: %v in %s", name, err, out)
		}
		hidden(t, name, c.token, out)
	}
}

// hidden fails if a segment of a token is printed.
func hidden(t *testing.T, name, token, out string) {
	t.Helper()
	for segment := range strings.SplitSeq(strings.TrimSpace(token), ".") {
		if len(segment) > 8 && strings.Contains(out, segment) {
			t.Errorf("%s: prints the token", name)
		}
	}
}

// expiredForgery is a token that has expired and was signed by another.
func expiredForgery(t *testing.T, p *testkit.IDP, now int64) string {
	c := p.Claims("alice")
	c["exp"], c["iat"] = now-60, now-300
	token := p.Sign(t, c, nil)
	head, signature, _ := strings.Cut(token, ".")
	claims, signature, _ := strings.Cut(signature, ".")
	return head + "." + claims + "." + flip(signature, 20)
}

// flip is base64 with another character at an index.
func flip(s string, i int) string {
	if s[i] == 'A' {
		return s[:i] + "B" + s[i+1:]
	}
	return s[:i] + "A" + s[i+1:]
}

// Rules of an issuer, with its keys in a file, in a file of a JWK set or at a URL, and of Nakama.
func TestTokenInspectRules(t *testing.T) {
	t.Parallel()
	i := testkit.NewIssuer(t)
	minted := i.Token(t, token.Grant{Subject: "alice", Scope: "match-7 match-8"})
	set := file(t, "jwks.json", string(i.JWKS()))
	ours := []string{"token", "inspect", "-issuer", testkit.IssuerName, "-audience", "other," + testkit.Audience}
	for _, keys := range [][]string{{"-keys", set}, {"-jwks", set}, {"-jwks", set, "-alg", "ES256", "-scope", "match-8"}} {
		if status, out, err := piped(t, minted, append(ours, keys...)...); status != exitOK {
			t.Errorf("%q: %d\n%s%s", keys, status, out, err)
		}
	}
	if status, out, err := piped(t, "", append(ours, "-keys", set, file(t, "token", minted+"\n"))...); status != exitOK {
		t.Errorf("from a file: %d\n%s%s", status, out, err)
	}
	p := testkit.NewIDP(t)
	url := p.Serve(t) + "/" + testkit.Pool + "/.well-known/jwks.json"
	c := map[string]any{"iss": "https://id.test", "aud": "arena", "sub": "bob", "exp": time.Now().Unix() + 60}
	if status, out, err := piped(t, p.Sign(t, c, nil), "token", "inspect", "-issuer", "https://id.test", "-audience", "arena", "-jwks", url, "-typ", "JWT"); status != exitOK {
		t.Errorf("at a URL: %d\n%s%s", status, out, err)
	}
	secret := strings.Repeat("secret-", 6)
	n := nakama(secret, time.Now().Unix()+60)
	if status, out, err := piped(t, n, "token", "inspect", "-nakama-key", file(t, "key", secret+"\n")); status != exitOK || strings.Contains(out, secret) {
		t.Errorf("Nakama: %d\n%s%s", status, out, err)
	}
	if status, out, _ := piped(t, n, "token", "inspect", "-nakama-key", file(t, "key", strings.Repeat("another-", 6))); status != exitFailed || !strings.Contains(out, "REFUSED: signature\n") {
		t.Errorf("another's key: %d\n%s", status, out)
	}
	status, out, _ := piped(t, minted, "token", "inspect")
	if status != exitFailed || !strings.Contains(out, "nothing was verified") || !strings.Contains(out, "claims, unverified\n") || !strings.Contains(out, testkit.IssuerName) {
		t.Errorf("no rules: %d\n%s", status, out)
	}
	head, _, _ := strings.Cut(minted, ".")
	for text, want := range map[string]string{
		"junk": "its header cannot be read", "a.b.c": "its header cannot be read", "W10.e30.e30": "its header cannot be read",
		head + ".b.c": "its claims cannot be read",
	} {
		if _, out, _ := piped(t, text, "token", "inspect"); !strings.Contains(out, want) {
			t.Errorf("%s:\n%s", text, out)
		}
	}
	_, out, _ = piped(t, minted, "token", "inspect", "-personal")
	if !strings.Contains(out, `"alice"`) {
		t.Errorf("-personal:\n%s", out)
	}
}

// nakama is a session token of Nakama.
func nakama(secret string, expires int64) string {
	encode := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := encode(map[string]any{"alg": "HS256", "typ": "JWT"}) + "." + encode(map[string]any{
		"tid": "6b7dbd8e-6e71-4ae9-9a5c-6c1a3b1a0c11", "uid": "6b7dbd8e-6e71-4ae9-9a5c-6c1a3b1a0c12", "usn": "bob", "exp": expires, "iat": expires - 60,
	})
	return signed + "." + base64.RawURLEncoding.EncodeToString(hmacSHA256(secret, signed))
}

// What a terminal would take for a command, or a claim that is very long, is shown as text.
func TestTokenInspectIsSafe(t *testing.T) {
	t.Parallel()
	p := testkit.NewIDP(t)
	c := map[string]any{"iss": "\x1b[2J\u202e", "scope": strings.Repeat("x", 5000), "\x1b[31mname": "x", "exp": 1e300, "nbf": -5}
	_, out, _ := piped(t, p.Sign(t, c, map[string]any{"kid": "\x07"}), "token", "inspect", "-personal")
	if strings.ContainsAny(out, "\x1b\x07\u202e") || len(out) > 2000 || !strings.Contains(out, "…") {
		t.Errorf("%q", out)
	}
}

func TestTokenInspectUsage(t *testing.T) {
	t.Parallel()
	p := testkit.NewIDP(t)
	good := p.Token(t, "alice")
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"token in a header":   {"", []string{"Bearer " + good}, "everybody on this machine can see arguments"},
		"token in quotes":     {"", []string{"\"" + good + "\""}, "everybody on this machine can see arguments"},
		"token in a variable": {"", []string{"TOKEN=" + good}, "everybody on this machine can see arguments"},
		"token as argument":   {"", []string{good}, "everybody on this machine can see arguments"},
		"two files":           {good, []string{"a", "b"}, "give one file"},
		"no token":            {"\n", nil, "there is no token"},
		"no file":             {"", []string{"/missing"}, "no such file"},
		"too much":            {strings.Repeat("x", maxTokenFile+1), nil, "that is no token"},
		"half of the rules":   {good, []string{"-issuer", "i"}, "one of -keys and -jwks"},
		"two rules":           {good, []string{"-issuer", "i", "-cognito-pool", "p"}, "different rules"},
		"pool alone":          {good, []string{"-cognito-pool", "p"}, "-cognito-clients"},
		"clients alone":       {good, []string{"-cognito-clients", "p"}, "go with -cognito-pool"},
		"bad pool":            {good, []string{"-cognito-pool", "p", "-cognito-clients", "a"}, "Pool must be"},
		"bad use":             {good, []string{"-cognito-use", "refresh"}, "must be access or id"},
		"bad algorithm":       {good, []string{"-issuer", "i", "-audience", "a", "-keys", "k", "-alg", "none"}, "must be ES256"},
		"bad time":            {good, []string{"-at", "noon"}, "must be like"},
		"no keys":             {good, []string{"-issuer", "i", "-audience", "a", "-keys", "/missing"}, "cannot read the keys"},
		"bad keys":            {good, []string{"-issuer", "i", "-audience", "a", "-keys", file(t, "k", "junk")}, "holds no public keys"},
		"bad keys for alg":    {good, []string{"-issuer", "i", "-audience", "a", "-keys", file(t, "k", "junk"), "-alg", "ES256"}, "key refused"},
		"http":                {good, []string{"-issuer", "i", "-audience", "a", "-jwks", "http://id.example.com/jwks.json"}, "-jwks"},
		"short secret":        {good, []string{"-nakama-key", file(t, "k", "short")}, "-nakama-key"},
		"no secret":           {good, []string{"-nakama-key", "/missing"}, "-nakama-key"},
		"life of a year":      {good, []string{"-issuer", "i", "-audience", "a", "-keys", file(t, "k", string(testkit.NewIssuer(t).JWKS())), "-max-life", "8760h"}, "MaxLife"},
	} {
		status, out, err := piped(t, c.stdin, append([]string{"token", "inspect"}, c.args...)...)
		if status != exitUsage || out != "" || strings.Count(err, "\n") != 1 || !strings.Contains(err, c.want) {
			t.Errorf("%s: %d, %q, %q, want %q", name, status, out, err, c.want)
		}
		hidden(t, name, good, err)
	}
	if status, out, _ := sallyport(t, "token", "inspect", "-h"); status != exitOK || !strings.Contains(out, "-personal") {
		t.Errorf("-h: %d, %s", status, out)
	}
}

func hmacSHA256(key, text string) []byte {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(text))
	return m.Sum(nil)
}
