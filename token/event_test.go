package token

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// setOf is a security event token that is good.
func setOf() *forgery {
	f := game().head("typ", "secevent+jwt").without("sub").without("exp").with("jti", "set-1").with("iat", now.Unix())
	return f.with("sub_id", map[string]any{"format": "opaque", "id": "player"}).
		with("events", map[string]any{"https://schemas.openid.net/secevent/caep/event-type/session-revoked": map[string]any{}})
}

func TestEventVerifier(t *testing.T) {
	t.Parallel()
	p := profiles()[0]
	p.Type = TypeEvent
	v, err := NewEventVerifier(p)
	if err != nil {
		t.Fatal(err)
	}
	e, err := v.Verify(t.Context(), now, []byte(setOf().String()))
	if err != nil {
		t.Fatal(err)
	}
	if e.Issuer != "https://game.example" || e.ID != "set-1" || e.KeyID != "es" || !e.IssuedAt.Equal(now) || !strings.Contains(string(e.Claims), `"sub_id"`) {
		t.Errorf("%+v", e)
	}
	for name, c := range map[string]struct {
		set   *forgery
		check Check
	}{
		"an identity token":      {game(), CheckType},
		"no type":                {setOf().head("typ", "JWT"), CheckType},
		"alg none":               {setOf().head("alg", "none"), CheckAlgorithm},
		"another algorithm":      {setOf().head("alg", "HS256"), CheckAlgorithm},
		"another issuer":         {setOf().with("iss", "https://other.example"), CheckIssuer},
		"another audience":       {setOf().with("aud", "arena-9"), CheckAudience},
		"an unknown key":         {setOf().head("kid", "other"), CheckKey},
		"a sub":                  {setOf().with("sub", "player"), CheckClaim},
		"an exp":                 {setOf().with("exp", now.Add(time.Minute).Unix()), CheckClaim},
		"no jti":                 {setOf().without("jti"), CheckClaim},
		"no iat":                 {setOf().without("iat"), CheckClaim},
		"made in the future":     {setOf().with("iat", now.Unix()+1), CheckNotYetValid},
		"a name in another case": {setOf().with("EVENTS", map[string]any{}), CheckForm},
		"a key of its own":       {setOf().head("jwk", map[string]any{}), CheckForm},
		"too long":               {setOf().with("x", strings.Repeat("a", maxVerified)), CheckSize},
	} {
		if _, err := v.Verify(t.Context(), now, []byte(c.set.String())); CheckOf(err) != c.check {
			t.Errorf("%s: %v", name, err)
		}
	}
	forged := []byte(setOf().String())
	if at := len(forged) - 9; forged[at] == 'A' {
		forged[at] = 'B'
	} else {
		forged[at] = 'A'
	}
	if _, err := v.Verify(t.Context(), now, forged); CheckOf(err) != CheckSignature {
		t.Errorf("a changed signature: %v", err)
	}
	// An event is no identity token, whatever the profile.
	tokens, err := NewVerifier(profiles()...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Verify(t.Context(), now, []byte(setOf().String())); err == nil {
		t.Error("an event is taken for an identity token")
	}
}

func TestEventVerifierConfig(t *testing.T) {
	t.Parallel()
	good := profiles()[0]
	good.Type = ""
	for name, change := range map[string]func(*Profile){
		"Type": func(p *Profile) { p.Type = "at+jwt" }, "Form": func(p *Profile) { p.Form = FormCognito },
		"MaxLife": func(p *Profile) { p.MaxLife = time.Hour }, "Keep": func(p *Profile) { p.Keep = []string{"a"} },
		"Keys": func(p *Profile) { p.Keys = nil }, "Audience": func(p *Profile) { p.Audience = nil },
	} {
		p := good
		change(&p)
		if _, err := NewEventVerifier(p); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, list := range [][]Profile{nil, {good, good}} {
		if _, err := NewEventVerifier(list...); !errors.Is(err, ErrConfig) {
			t.Error(err)
		}
	}
}
