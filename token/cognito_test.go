package token_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

const (
	regional   = "https://cognito-idp.eu-west-1.amazonaws.com/" + testkit.Pool
	replicated = "https://issuer-cognito-idp.eu-west-1.amazonaws.com/" + testkit.Pool
)

// A pool is a provider with a verifier of its tokens, in a bubble.
type pool struct {
	*testing.T
	idp      *testkit.IDP
	cognito  *token.Cognito
	verifier *token.Verifier
}

func inPool(t *testing.T, change func(*token.CognitoConfig), f func(p *pool)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pool{T: t, idp: testkit.NewIDP(t)}
		config := p.idp.Cognito()
		if change != nil {
			change(&config)
		}
		var err error
		if p.cognito, err = token.NewCognito(config); err != nil {
			t.Fatal(err)
		}
		if p.verifier, err = token.NewVerifier(p.cognito.Profiles()...); err != nil {
			t.Fatal(err)
		}
		f(p)
		if err := p.cognito.Close(); err != nil {
			t.Error(err)
		}
	})
}

// with is an access token whose claims and header differ in these; a nil claim is left out.
func (p *pool) with(claims, header map[string]any) string {
	all := p.idp.Claims("ann")
	for name, value := range claims {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return p.idp.Sign(p, all, header)
}

// id makes an access token's claims those of an ID token.
func id(claims map[string]any) map[string]any {
	all := map[string]any{
		"token_use": "id", "aud": testkit.Client, "cognito:username": "ann", "email": "ann@example.com",
		"client_id": nil, "username": nil, "scope": nil, "version": nil,
	}
	maps.Copy(all, claims)
	return all
}

func (p *pool) verify(raw string) (*token.Claims, error) {
	return p.verifier.Verify(p.Context(), time.Now(), []byte(raw))
}

func (p *pool) want(what, raw string, want error) {
	p.Helper()
	if _, err := p.verify(raw); !errors.Is(err, want) || (err == nil) != (want == nil) {
		p.Errorf("%s: %v, want %v", what, err, want)
	}
}

type claims = map[string]any

// "Access and ID tokens told apart by token_use", never by whether there is an aud.
func TestCognitoTokenUse(t *testing.T) {
	cases := func(p *pool, access, identity error) {
		p.want("access token", p.with(nil, nil), access)
		p.want("access token with aud", p.with(claims{"aud": "https://api.example"}, nil), access)
		p.want("ID token", p.with(id(nil), nil), identity)
		p.want("ID token with client_id", p.with(id(claims{"client_id": testkit.Client}), nil), identity)
		p.want("no token_use", p.with(claims{"token_use": nil}, nil), token.ErrClaims)
		p.want("token_use of another case", p.with(claims{"token_use": "ACCESS", "aud": testkit.Client}, nil), token.ErrClaims)
		p.want("both uses", p.with(claims{"token_use": []string{"access", "id"}, "aud": testkit.Client}, nil), token.ErrClaims)
	}
	inPool(t, nil, func(p *pool) { cases(p, nil, token.ErrClaims) })
	inPool(t, func(c *token.CognitoConfig) { c.Use = token.CognitoID }, func(p *pool) { cases(p, token.ErrClaims, nil) })
}

// What a token of either use says; "origin_jti kept for revocation".
func TestCognitoClaims(t *testing.T) {
	inPool(t, nil, func(p *pool) {
		c, err := p.verify(p.with(claims{"origin_jti": "o", "jti": "j", "scope": "match:42", "cognito:groups": []string{"a", "b"}}, nil))
		if err != nil || c.Issuer != regional || c.Subject != "ann" || c.SignIn != "o" || c.ID != "j" || c.Username != "ann" ||
			!slices.Equal(c.Groups, []string{"a", "b"}) || !slices.Equal(c.Audience, []string{testkit.Client}) || !c.HasScope("match:42") {
			p.Errorf("%+v, %v", c, err)
		}
	})
	inPool(t, func(c *token.CognitoConfig) { c.Keep = []string{"custom:rank", "build"} }, func(p *pool) {
		c, err := p.verify(p.with(claims{"custom:rank": "gold", "build": 42}, nil))
		if want := (claims{"custom:rank": "gold", "build": 42.0}); err != nil || c.Build != "" || !maps.Equal(c.Custom, want) {
			p.Errorf("%+v, %v", c, err)
		}
	})
	inPool(t, func(c *token.CognitoConfig) { c.Use = token.CognitoID }, func(p *pool) {
		c, err := p.verify(p.with(id(claims{"origin_jti": "o", "cognito:groups": nil}), nil))
		if err != nil || c.Username != "ann" || c.SignIn != "o" || c.Groups != nil || !slices.Equal(c.Audience, []string{testkit.Client}) {
			p.Errorf("%+v, %v", c, err)
		}
	})
}

// "both issuer forms": each with the keys under its own name, and one name for the player.
func TestCognitoIssuers(t *testing.T) {
	inPool(t, nil, func(p *pool) {
		for i, iss := range []string{regional, replicated} {
			c, err := p.verify(p.with(claims{"iss": iss}, nil))
			if err != nil || c.Issuer != regional {
				p.Errorf("%s: %+v, %v", iss, c, err)
			}
			if n := p.idp.Fetches(); n != i+1 {
				p.Errorf("%s: %d fetches", iss, n)
			}
		}
		if s := p.cognito.Stats(); s.Fetches != 2 || s.Keys != 4 || s.Failures != 0 {
			p.Errorf("%+v", s)
		}
		for _, iss := range []string{
			strings.Replace(regional, "eu-west-1.", "us-east-1.", 1), regional + "/", regional + "x", strings.ToLower(regional),
			strings.Replace(regional, "https", "http", 1), "https://evil.example/" + testkit.Pool, "https://cognito-idp.eu-west-1.amazonaws.com",
			strings.Replace(regional, ".com/", ".com.evil.example/", 1), strings.Replace(regional, testkit.Pool, "eu-west-1_Another", 1),
		} {
			p.want(iss, p.with(claims{"iss": iss}, nil), token.ErrIssuer)
		}
		if n := p.idp.Fetches(); n != 2 {
			p.Errorf("%d fetches: a stranger's issuer was asked", n)
		}
	})
}

// The keys are fetched from each issuer's own name.
func TestCognitoEndpoints(t *testing.T) {
	inPool(t, nil, func(p *pool) {
		var asked []string
		p.idp.Answer(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.String())
			w.Write(p.idp.JWKS()) //nolint:errcheck // a recorder
		})
		if err := p.cognito.Hydrate(p.Context()); err != nil {
			p.Error(err)
		}
		p.want("replicated", p.with(claims{"iss": replicated}, nil), nil)
		if want := []string{regional + "/.well-known/jwks.json", replicated + "/.well-known/jwks.json"}; !slices.Equal(asked, want) {
			p.Errorf("asked %v", asked)
		}
	})
}

// A key id that the pool publishes twice, by mistake or with another key, keeps nobody out.
func TestCognitoKeyTwice(t *testing.T) {
	inPool(t, nil, func(p *pool) {
		name := regexp.MustCompile(`"kid":"[^"]*"`)
		mine := string(p.idp.JWKS())
		p.idp.Answer(func(w http.ResponseWriter, _ *http.Request) {
			twice := name.ReplaceAllString(mine, `"kid":"twice"`)
			fmt.Fprint(w, strings.Replace(mine, `"keys":[`, `"keys":[`+strings.TrimSuffix(strings.TrimPrefix(twice, `{"keys":[`), `]}`)+",", 1))
		})
		p.want("a key of the same set", p.with(nil, nil), nil)
		p.want("under the name that two keys have", p.with(nil, claims{"kid": "twice"}), nil)
		if s := p.cognito.Stats(); s.Keys != 3 || s.Failures != 0 {
			p.Errorf("%+v", s)
		}
	})
}

// "groups": one of ours must be among the player's, of which there are 100 at most.
func TestCognitoGroups(t *testing.T) {
	many := func(n int) []string { return append(slices.Repeat([]string{"g"}, n-1), "players") }
	cases := func(p *pool, wanted error) {
		p.want("ours", p.with(claims{"cognito:groups": []string{"x", "players"}}, nil), nil)
		p.want("100", p.with(claims{"cognito:groups": many(100)}, nil), nil)
		p.want("101", p.with(claims{"cognito:groups": many(101)}, nil), token.ErrClaims)
		p.want("longest", p.with(claims{"cognito:groups": []string{"players", strings.Repeat("g", 512)}}, nil), nil)
		p.want("too long", p.with(claims{"cognito:groups": []string{"players", strings.Repeat("g", 513)}}, nil), token.ErrClaims)
		for name, groups := range map[string]any{"none": nil, "empty": []string{}, "another": []string{"Players"}} {
			p.want(name, p.with(claims{"cognito:groups": groups}, nil), wanted)
		}
		for name, groups := range map[string]any{"no list": "players", "empty name": []string{"players", ""}, "number": []any{"players", 1}, "object": claims{}} {
			p.want(name, p.with(claims{"cognito:groups": groups}, nil), token.ErrClaims)
		}
	}
	inPool(t, nil, func(p *pool) { cases(p, nil) })
	inPool(t, func(c *token.CognitoConfig) { c.Groups = []string{"admins", "players"} }, func(p *pool) { cases(p, token.ErrGroup) })
}

// "Cognito access tokens live 60 minutes by default", so that is accepted; ErrLife tells what to do about longer ones.
func TestCognitoLife(t *testing.T) {
	life := func(p *pool, d time.Duration, want error) {
		p.want(d.String(), p.with(claims{"exp": time.Now().Add(d).Unix()}, nil), want)
	}
	inPool(t, nil, func(p *pool) {
		life(p, time.Hour, nil)
		life(p, time.Hour+time.Second, token.ErrLife)
		life(p, time.Hour+time.Second, token.ErrClaims) // whose kind it is
	})
	inPool(t, func(c *token.CognitoConfig) { c.MaxLife = 24 * time.Hour }, func(p *pool) {
		life(p, 24*time.Hour, nil)
		life(p, 24*time.Hour+time.Second, token.ErrLife)
	})
}

// "for another pool, another client": see TestCognitoIssuers for other issuers. Two pools in one verifier stay apart.
func TestCognitoPoolsApart(t *testing.T) {
	inPool(t, nil, func(p *pool) {
		p.want("another client", p.with(claims{"client_id": "other"}, nil), token.ErrAudience)
		p.want("no client", p.with(claims{"client_id": nil}, nil), token.ErrAudience)
		other := testkit.NewIDP(p)
		config := other.Cognito()
		config.Pool = "us-east-1_Other"
		second, err := token.NewCognito(config)
		if err != nil {
			p.Fatal(err)
		}
		defer second.Close() //nolint:errcheck // always nil
		if p.verifier, err = token.NewVerifier(append(p.cognito.Profiles(), second.Profiles()...)...); err != nil {
			p.Fatal(err)
		}
		stolen := p.with(claims{"iss": second.Profiles()[0].Issuer}, nil)
		p.want("a key of the first pool, for the second", stolen, token.ErrUnavailable)      // the fake publishes at its own pool's path
		other.Answer(func(w http.ResponseWriter, _ *http.Request) { w.Write(other.JWKS()) }) //nolint:errcheck // a recorder
		time.Sleep(time.Second)
		p.want("asked again", stolen, token.ErrUnavailable) // nobody waits after a failure
		synctest.Wait()
		p.want("now that its keys are known", stolen, token.ErrUnknownKey)
	})
}

// "alg none, key confusion, jwk/jku/x5u headers": refused, and nobody was asked for a key.
func TestCognitoBadInput(t *testing.T) {
	inPool(t, nil, func(p *pool) {
		if err := p.cognito.Hydrate(p.Context()); err != nil {
			p.Error(err)
		}
		for name, c := range map[string]struct {
			raw  string
			want error
		}{
			"alg none":   {p.with(nil, claims{"alg": "none"}), token.ErrMalformed},
			"alg HS256":  {p.with(nil, claims{"alg": "HS256"}), token.ErrAlgorithm},
			"alg PS256":  {p.with(nil, claims{"alg": "PS256"}), token.ErrAlgorithm},
			"no kid":     {p.with(nil, claims{"kid": nil}), token.ErrUnknownKey},
			"jwk":        {p.with(nil, claims{"jwk": claims{"kty": "RSA"}}), token.ErrMalformed},
			"jku":        {p.with(nil, claims{"jku": "https://evil.example/jwks.json"}), token.ErrMalformed},
			"x5u":        {p.with(nil, claims{"x5u": "https://evil.example/c.pem"}), token.ErrMalformed},
			"oversized":  {p.with(claims{"pad": strings.Repeat("p", 32<<10)}, nil), token.ErrMalformed},
			"case":       {p.with(claims{"Cognito:groups": []string{"players"}}, nil), token.ErrMalformed},
			"no subject": {p.with(claims{"sub": nil}, nil), token.ErrClaims},
			"no exp":     {p.with(claims{"exp": nil}, nil), token.ErrClaims},
			"future":     {p.with(claims{"iat": time.Now().Unix() + 600, "exp": time.Now().Unix() + 900}, nil), token.ErrNotYetValid},
		} {
			p.want(name, c.raw, c.want)
		}
		if n := p.idp.Fetches(); n != 1 {
			p.Errorf("%d fetches", n)
		}
	})
}

func TestCognitoConfig(t *testing.T) {
	good := token.CognitoConfig{Pool: testkit.Pool, Clients: []string{"c"}}
	for name, c := range map[string]struct {
		change func(*token.CognitoConfig)
		ok     bool
	}{
		"good":       {func(*token.CognitoConfig) {}, true},
		"government": {func(c *token.CognitoConfig) { c.Pool = "us-gov-west-1_AbC" }, true},
		"another partition": {func(c *token.CognitoConfig) {
			c.Pool = "eusc-de-east-1_AbC"
			c.Endpoint = "https://cognito-idp.eusc-de-east-1.amazonaws.eu"
		}, true},
		"sovereign, alone": {func(c *token.CognitoConfig) { c.Pool = "eusc-de-east-1_AbC" }, false},
		"China, alone":     {func(c *token.CognitoConfig) { c.Pool = "cn-north-1_AbC" }, false},
		"isolated, alone":  {func(c *token.CognitoConfig) { c.Pool = "us-isob-east-1_AbC" }, false},
		"emulator":         {func(c *token.CognitoConfig) { c.Pool, c.Endpoint = "local_2HLvdzWM", "http://127.0.0.1:9229/" }, true},
		"China": {func(c *token.CognitoConfig) {
			c.Pool = "cn-north-1_AbC"
			c.Endpoint = "https://cognito-idp.cn-north-1.amazonaws.com.cn"
		}, true},
		"emulator elsewhere": {func(c *token.CognitoConfig) { c.Endpoint = "http://10.0.0.1:9229" }, false},
		"emulator, bad pool": {func(c *token.CognitoConfig) { c.Pool, c.Endpoint = "../x_y", "http://127.0.0.1:9229" }, false},
		"emulator's pool":    {func(c *token.CognitoConfig) { c.Pool = "local_2HLvdzWM" }, false},
		"no pool":            {func(c *token.CognitoConfig) { c.Pool = "" }, false},
		"no name":            {func(c *token.CognitoConfig) { c.Pool = "eu-west-1_" }, false},
		"another host":       {func(c *token.CognitoConfig) { c.Pool = "evil.example/eu-west-1_A" }, false},
		"line break":         {func(c *token.CognitoConfig) { c.Pool += "\n" }, false},
		"no client":          {func(c *token.CognitoConfig) { c.Clients = nil }, false},
		"empty client":       {func(c *token.CognitoConfig) { c.Clients = []string{""} }, false},
		"empty group":        {func(c *token.CognitoConfig) { c.Groups = []string{""} }, false},
		"use":                {func(c *token.CognitoConfig) { c.Use = token.CognitoID + 1 }, false},
		"life":               {func(c *token.CognitoConfig) { c.MaxLife = token.LongestLife + 1 }, false},
		"leeway":             {func(c *token.CognitoConfig) { c.Leeway = token.MaxLeeway + 1 }, false},
	} {
		config := good
		c.change(&config)
		p, err := token.NewCognito(config)
		if strings.HasSuffix(name, ", alone") && (err == nil || !strings.Contains(err.Error(), "Endpoint")) {
			t.Errorf("%s: %v does not ask for the endpoint", name, err)
		}
		if c.ok != (err == nil && p != nil) || !c.ok && !errors.Is(err, token.ErrConfig) {
			t.Errorf("%s: %v, accepted should be %v", name, err, c.ok)
		}
	}
}
