package token

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// RFC 7519 2 and 4.1.4 to 4.1.6: a NumericDate is a JSON number; exp ≤ now refuses, nbf ≤ now accepts.
func TestTimes(t *testing.T) {
	at := now.Unix()
	raw := func(s string) json.Number { return json.Number(s) }
	for name, c := range map[string]struct {
		token *forgery
		want  error
	}{
		"exp in 1 s":           {game().with("exp", at+1), nil},
		"exp now":              {game().with("exp", at), ErrExpired},
		"exp 1 s ago":          {game().with("exp", at-1), ErrExpired},
		"exp in half a second": {game().with("exp", raw("1800000000.5")), nil},
		"exp with exponent":    {game().with("exp", raw("1.8000006e9")), nil},
		"exp missing":          {game().without("exp"), ErrClaims},
		"exp null":             {game().with("exp", nil), ErrClaims},
		"exp string":           {game().with("exp", "1800000600"), ErrClaims},
		"exp true":             {game().with("exp", true), ErrClaims},
		"exp array":            {game().with("exp", []int64{at + 600}), ErrClaims},
		"exp 0":                {game().with("exp", 0), ErrExpired},
		"exp negative":         {game().with("exp", -1), ErrClaims},
		"exp 1e18":             {game().with("exp", raw("1e18")), ErrClaims},
		"exp 1e300":            {game().with("exp", raw("1e300")), ErrClaims},
		"exp 1e400":            {game().with("exp", raw("1e400")), ErrClaims},
		"exp -1e300":           {game().with("exp", raw("-1e300")), ErrClaims},
		"exp 2^63":             {game().with("exp", raw("9223372036854775808")), ErrClaims},
		"exp 2^64 and a bit":   {game().with("exp", raw("18446744075509552216")), ErrClaims},
		"exp after year 9999":  {game().with("exp", raw("253402300800")), ErrClaims},
		"exp in milliseconds":  {game().with("exp", (at+600)*1000), ErrClaims},
		"nbf now":              {game().with("nbf", at), nil},
		"nbf in 1 s":           {game().with("nbf", at+1), ErrNotYetValid},
		"nbf in 0.1 s":         {game().with("nbf", raw("1800000000.1")), ErrNotYetValid},
		"nbf missing":          {game().without("nbf"), nil},
		"nbf string":           {game().with("nbf", "1800000000"), ErrClaims},
		"nbf null":             {game().with("nbf", nil), ErrClaims},
		"nbf 1e300":            {game().with("nbf", raw("1e300")), ErrClaims},
		"iat in 1 s":           {game().with("iat", at+1), ErrNotYetValid},
		"iat null":             {game().with("iat", nil), ErrClaims},
		"iat 1e300":            {game().with("iat", raw("1e300")), ErrClaims},

		// "life ≤ 24 h cap", here 15 minutes: from iat, or from now where there is none.
		"life 15 min":                 {game().with("exp", at+900), nil},
		"life 15 min 1 s":             {game().with("exp", at+901), ErrClaims},
		"life over, most of it spent": {game().with("iat", at-890).with("exp", at+11), ErrClaims},
		"life without iat":            {game().without("iat").with("exp", at+900), nil},
		"life without iat, over":      {game().without("iat").with("exp", at+901), ErrClaims},
		"life of Cognito 1 h":         {cognito().with("exp", at+3600), nil},
		"life of Cognito 1 h 1 s":     {cognito().with("exp", at+3601), ErrClaims},
	} {
		if _, err := verify(t, newVerifier(), c.token.String()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// "leeway explicit, ≤ 30 s": it widens each bound by exactly itself.
func TestLeeway(t *testing.T) {
	for _, c := range []struct{ config, leeway time.Duration }{
		{0, defaultLeeway}, {-1, 0}, {time.Second, time.Second}, {MaxLeeway, MaxLeeway},
	} {
		p := profiles()[0]
		p.Leeway = c.config
		v := must(NewVerifier(p))
		raw := []byte(game().String()) // iat = nbf = now, exp = now + 600 s
		for at, want := range map[time.Duration]error{
			-c.leeway:                     nil,
			-c.leeway - 1:                 ErrNotYetValid,
			10*time.Minute + c.leeway - 1: nil,
			10*time.Minute + c.leeway:     ErrExpired,
		} {
			if _, err := v.Verify(t.Context(), now.Add(at), raw); !errors.Is(err, want) {
				t.Errorf("leeway %v, %v after it was made: %v, want %v", c.config, at, err, want)
			}
		}
	}
}

func TestConfig(t *testing.T) {
	for name, change := range map[string]func(*Profile){
		"no issuer":        func(p *Profile) { p.Issuer = "" },
		"no audience":      func(p *Profile) { p.Audience = nil },
		"empty audience":   func(p *Profile) { p.Audience = []string{"arena-7", ""} },
		"no algorithm":     func(p *Profile) { p.Algorithm = "" },
		"algorithm none":   func(p *Profile) { p.Algorithm = "none" },
		"algorithm case":   func(p *Profile) { p.Algorithm = "es256" },
		"algorithm PS256":  func(p *Profile) { p.Algorithm = "PS256" },
		"no keys":          func(p *Profile) { p.Keys = nil },
		"nil keys":         func(p *Profile) { p.Keys = (*StaticKeys)(nil) },
		"leeway 30 s 1 ns": func(p *Profile) { p.Leeway = MaxLeeway + 1 },
		"life 24 h 1 ns":   func(p *Profile) { p.MaxLife = LongestLife + 1 },
		"life negative":    func(p *Profile) { p.MaxLife = -1 },
		"form":             func(p *Profile) { p.Form = FormNakama + 1 },
		"keeps nothing":    func(p *Profile) { p.Keep = []string{""} },
		"keeps a long one": func(p *Profile) { p.Keep = []string{strings.Repeat("k", 129)} },
		"keeps one twice":  func(p *Profile) { p.Keep = []string{"a", "b", "a"} },
		"keeps 17":         func(p *Profile) { p.Keep = strings.Split("a b c d e f g h i j k l m n o p q", " ") },
		"Nakama audience":  func(p *Profile) { p.Form = FormNakama },
		"same issuer":      func(p *Profile) { p.Issuer = profiles()[1].Issuer },
	} {
		p := profiles()
		change(&p[0])
		if v, err := NewVerifier(p...); v != nil || !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
	if _, err := NewVerifier(); !errors.Is(err, ErrConfig) {
		t.Errorf("no profile: %v, want ErrConfig", err)
	}
	two := profiles()[4]
	two.Issuer = "another nakama"
	if _, err := NewVerifier(profiles()[4], two); !errors.Is(err, ErrConfig) {
		t.Errorf("two for tokens without iss: %v, want ErrConfig", err)
	}
	// Without a Nakama profile, a token must name its issuer.
	if _, err := verify(t, must(NewVerifier(profiles()[0])), game().without("iss").String()); !errors.Is(err, ErrIssuer) {
		t.Errorf("no iss: %v, want ErrIssuer", err)
	}
}
