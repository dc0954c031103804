package cognito

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

// A verdict is what both say of one token. Where they differ, why says why ours is right.
type verdict struct {
	token       string
	amazon, our bool // accepted
	why         string
}

type claims = map[string]any

// A mint makes tokens that differ from a good one.
type mint struct {
	*testing.T
	idp *testkit.IDP
	now time.Time // when all tokens are made, and when both judge them
}

// good is what a good access token claims.
func (m mint) good() claims {
	all := m.idp.Claims("ann")
	now := m.now.Unix()
	maps.Copy(all, claims{"auth_time": now, "iat": now, "exp": now + 300})
	return all
}

// with is a good access token but for these claims and header fields; nil leaves one out.
func (m mint) with(changes, header claims) string {
	all := m.good()
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return m.idp.Sign(m, all, header)
}

// raw is a good access token with text behind the first brace of its claims.
func (m mint) raw(text string) string {
	b, err := json.Marshal(m.good())
	if err != nil {
		m.Fatal(err)
	}
	return m.idp.Sign(m, json.RawMessage("{"+text+","+string(b[1:])), nil)
}

// byStranger is a good access token but for its signature, by a key that is not the pool's.
func (m mint) byStranger() string {
	ids := m.idp.KeyIDs()
	return testkit.NewIDP(m).Sign(m, m.good(), claims{"kid": ids[0]})
}

// identity is a good ID token but for these claims.
func (m mint) identity(changes claims) string {
	all := claims{"token_use": "id", "aud": testkit.Client, "cognito:username": "ann", "client_id": nil, "scope": nil}
	maps.Copy(all, changes)
	return m.with(all, nil)
}

// many is n claims.
func many(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"custom:%d":"x"`, i)
	}
	return strings.Join(all, ",")
}

// twice is the name of two keys.
const twice = "twice"

// withTwice is what the provider publishes, and after that both its keys under one more name.
func withTwice(t *testing.T, idp *testkit.IDP) []byte {
	t.Helper()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(idp.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range slices.Clone(set.Keys) {
		k = maps.Clone(k)
		k["kid"] = twice
		set.Keys = append(set.Keys, k)
	}
	b, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const replicated = "https://issuer-cognito-idp.eu-west-1.amazonaws.com/" + testkit.Pool

// accessCases are the tokens for a verifier of access tokens.
func accessCases(m mint) map[string]verdict {
	now := m.now.Unix()
	good := m.with(nil, nil)
	return map[string]verdict{
		"good":                        {good, true, true, ""},
		"aud besides client_id":       {m.with(claims{"aud": "https://api.example"}, nil), true, true, ""},
		"issuer of a replicated pool": {m.with(claims{"iss": replicated}, nil), true, true, ""},
		"no groups":                   {m.with(claims{"cognito:groups": nil}, nil), true, true, ""},
		"typ JWT":                     {m.with(nil, claims{"typ": "JWT"}), true, true, ""},
		"20 long groups":              {m.with(claims{"cognito:groups": slices.Repeat([]string{strings.Repeat("g", 128)}, 20)}, nil), true, true, ""},
		"100 long groups":             {m.with(claims{"cognito:groups": slices.Repeat([]string{strings.Repeat("g", 128)}, 100)}, nil), true, true, ""},
		"256 claims":                  {m.raw(many(242)), true, true, ""},
		"50 scopes of the game's own": {m.with(claims{"scope": strings.Repeat("https://api.game.example/levels.read ", 49) + "openid"}, nil), true, true, ""},
		"U+FFFD in a name":            {m.with(claims{"username": "Zo\ufffd"}, nil), true, true, ""},
		"U+FFFD, escaped":             {m.raw(`"nickname":"Zo\ufffd"`), true, true, ""},
		"an emoji, escaped":           {m.raw(`"nickname":"\ud83c\udfae"`), true, true, ""},
		"build is a number":           {m.with(claims{"build": 42}, nil), true, true, ""},
		"platform is a list":          {m.with(claims{"platform": []string{"web", "ios"}}, nil), true, true, ""},
		"platform is an object":       {m.with(claims{"platform": claims{"os": "ios"}, "build": json.RawMessage("null")}, nil), true, true, ""},
		"build is a long text":        {m.with(claims{"build": strings.Repeat("b", 500)}, nil), true, true, ""},
		"claims of a function":        {m.with(claims{"tenant": claims{"id": 7, "roles": []string{"a"}}, "level": 3.5, "vip": true}, nil), true, true, ""},
		"a kid that two keys have":    {m.with(nil, claims{"kid": twice}), false, true, "each is the pool's own (RFC 7517 4.5 only advises against one name); Amazon takes one of them"},

		"no exp":                    {m.with(claims{"exp": nil}, nil), true, false, "a token must end: RFC 8725 and Amazon's own tokens always say when"},
		"crit":                      {m.with(nil, claims{"crit": []string{"exp"}}), true, false, `RFC 7515 4.1.11: an extension that is not understood MUST be refused`},
		"no sub":                    {m.with(claims{"sub": nil}, nil), true, false, "a session belongs to somebody"},
		"empty sub":                 {m.with(claims{"sub": ""}, nil), true, false, "as above"},
		"iat 10 min ahead":          {m.with(claims{"iat": now + 600, "exp": now + 900}, nil), true, false, "made in the future: a clock is broken, and the life could not be judged"},
		"two exp":                   {m.raw(`"exp":1`), true, false, "readers differ in which one counts"},
		"EXP besides exp":           {m.raw(`"EXP":1`), true, false, "readers that fold case, as Go's do, would take it for exp"},
		"padding":                   {good + "==", true, false, "one token, one spelling: lists of tokens must not be slipped by (RFC 7515 2: no padding)"},
		"life of 2 h":               {m.with(claims{"exp": now + 7200}, nil), true, false, "longer than MaxLife: a stolen token must die soon; the operator decides"},
		"jwk in the header":         {m.with(nil, claims{"jwk": claims{"kty": "RSA"}}), true, false, "RFC 8725 3.10: a token brings no key; Amazon ignores it, we refuse"},
		"jku in the header":         {m.with(nil, claims{"jku": "https://evil.example/jwks.json"}), true, false, "as above"},
		"typ of another kind":       {m.with(nil, claims{"typ": "at+jwt"}), true, false, "RFC 8725 3.11: Amazon's tokens have none"},
		"more than 32 KiB":          {m.with(claims{"pad": strings.Repeat("p", 32<<10)}, nil), true, false, "there is a limit; Amazon's have 20 KB with 100 groups of the longest names"},
		"257 claims":                {m.raw(many(243)), true, false, "there is a limit; Amazon's pools have 50 attributes of their own"},
		"half a surrogate pair":     {m.raw(`"nickname":"\ud83c"`), true, false, "no character: readers differ in what they make of it"},
		"control character in sub":  {m.with(claims{"sub": "a\nb"}, nil), true, false, "it will be in logs and file names"},
		"sub of 129 bytes":          {m.with(claims{"sub": strings.Repeat("s", 129)}, nil), true, false, "Amazon's have 36"},
		"scope with a tab":          {m.with(claims{"scope": "chat\tadmin"}, nil), true, false, "RFC 6749 3.3: a tab separates nothing"},
		"kid of 65 bytes":           {m.with(nil, claims{"kid": strings.Repeat("k", 65)}), false, false, ""},
		"exp as a string":           {m.with(claims{"exp": "2000000000"}, nil), false, false, ""},
		"line feed at the end":      {good + "\n", false, false, ""},
		"ID token":                  {m.identity(nil), false, false, ""},
		"another client":            {m.with(claims{"client_id": "other"}, nil), false, false, ""},
		"client_id in an array":     {m.with(claims{"client_id": []string{testkit.Client}}, nil), false, false, ""},
		"no token_use":              {m.with(claims{"token_use": nil}, nil), false, false, ""},
		"nbf ahead":                 {m.with(claims{"nbf": now + 600}, nil), false, false, ""},
		"expired":                   {m.with(claims{"iat": now - 900, "exp": now - 600}, nil), false, false, ""},
		"another pool":              {m.with(claims{"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"}, nil), false, false, ""},
		"another key of that name":  {m.byStranger(), false, false, ""},
		"unknown kid":               {m.with(nil, claims{"kid": "unknown"}), false, false, ""},
		"no kid":                    {m.with(nil, claims{"kid": nil}), false, false, ""},
		"kid null":                  {m.with(nil, claims{"kid": json.RawMessage("null")}), false, false, ""},
		"alg none":                  {m.with(nil, claims{"alg": "none"}), false, false, ""},
		"alg HS256, by the key":     {m.with(nil, claims{"alg": "HS256"}), false, false, ""},
		"alg RS384":                 {m.with(nil, claims{"alg": "RS384"}), false, false, ""},
		"alg PS256":                 {m.with(nil, claims{"alg": "PS256"}), false, false, ""},
		"sub is a number":           {m.with(claims{"sub": 7}, nil), false, false, ""},
		"two segments":              {good[:strings.LastIndexByte(good, '.')], false, false, ""},
		"nothing":                   {"", false, false, ""},
		"expired 3 s ago":           {m.with(claims{"iat": now - 60, "exp": now - 3}, nil), false, true, "within the leeway of 5 s that Profile.Leeway says; Amazon's default is none"},
		"nbf in 3 s":                {m.with(claims{"nbf": now + 3}, nil), false, true, "as above"},
		"groups is no list, unused": {m.with(claims{"cognito:groups": "players"}, nil), true, false, "a claim that we pass on has the right type or is none"},
	}
}

// identityCases are those for a verifier of ID tokens of players in a group.
func identityCases(m mint) map[string]verdict {
	return map[string]verdict{
		"good":               {m.identity(nil), true, true, ""},
		"one group of many":  {m.identity(claims{"cognito:groups": []string{"x", "players"}}), true, true, ""},
		"access token":       {m.with(nil, nil), false, false, ""},
		"with aud as access": {m.with(claims{"aud": testkit.Client}, nil), false, false, ""},
		"another client":     {m.identity(claims{"aud": "other"}), false, false, ""},
		"client_id for aud":  {m.identity(claims{"aud": nil, "client_id": testkit.Client}), false, false, ""},
		"another group":      {m.identity(claims{"cognito:groups": []string{"x"}}), false, false, ""},
		"no group":           {m.identity(claims{"cognito:groups": nil}), false, false, ""},
		"groups is no list":  {m.identity(claims{"cognito:groups": "players"}), true, false, "a claim has the right type; Amazon's are lists"},
		"aud in an array":    {m.identity(claims{"aud": []string{testkit.Client}}), false, true, "RFC 7519 4.1.3: aud is a string or an array of them"},
	}
}

// "aws-jwt-verify 5.2.1 as an oracle: same tokens through both, every difference listed and justified."
func TestAmazonsVerifier(t *testing.T) {
	modules := Modules(t)
	m := mint{t, testkit.NewIDP(t), time.Now()}
	t.Run("access", func(t *testing.T) { compare(t, modules, m, m.idp.Cognito(), accessCases(m)) })
	t.Run("identity", func(t *testing.T) {
		config := m.idp.Cognito()
		config.Use, config.Groups = token.CognitoID, []string{"players"}
		compare(t, modules, m, config, identityCases(m))
	})
}

func compare(t *testing.T, modules string, m mint, config token.CognitoConfig, cases map[string]verdict) {
	t.Helper()
	pool, err := token.NewCognito(config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close() //nolint:errcheck // always nil
	v, err := token.NewVerifier(pool.Profiles()...)
	if err != nil {
		t.Fatal(err)
	}
	published := withTwice(t, m.idp)
	m.idp.Answer(func(w http.ResponseWriter, _ *http.Request) { w.Write(published) }) //nolint:errcheck // a recorder
	amazon := ask(t, modules, published, m.now, config, cases)
	for name, c := range cases {
		_, err := v.Verify(t.Context(), m.now, []byte(c.token))
		if (err == nil) != c.our {
			t.Errorf("%s: we say %v, accepted should be %v", name, err, c.our)
		}
		if (amazon[name] == "") != c.amazon {
			t.Errorf("%s: Amazon says %q, accepted should be %v", name, amazon[name], c.amazon)
		}
		if (c.amazon != c.our) != (c.why != "") {
			t.Errorf("%s: a difference has a reason, and only a difference", name)
		}
	}
	t.Logf("%d tokens", len(cases))
}

// ask returns the names of Amazon's errors, empty for tokens that it accepts.
func ask(
	t *testing.T, modules string, jwks json.RawMessage, now time.Time, config token.CognitoConfig, cases map[string]verdict,
) (said map[string]string) {
	t.Helper()
	tokens := map[string]string{}
	for name, c := range cases {
		tokens[name] = c.token
	}
	question, err := json.Marshal(claims{
		"pool": config.Pool, "client": config.Clients, "groups": config.Groups, "jwks": jwks, "tokens": tokens,
		"now": now.UnixMilli(),
		"use": map[token.TokenUse]string{token.CognitoAccess: "access", token.CognitoID: "id"}[config.Use],
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "testdata/oracle.cjs")
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(question), os.Stderr
	answer, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(answer, &said)
	}
	if err != nil || len(said) != len(cases) {
		t.Fatalf("the oracle says nothing of use: %v", err)
	}
	return said
}
