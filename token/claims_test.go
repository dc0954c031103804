package token

import (
	"crypto/elliptic"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// Two signatures of ECDSA fit one token, (r, s) and (r, n-s), and anybody can make the second from the first. The
// name under which a token is revoked must be the same for both: "jti, else SHA-256 of signing input; never the raw
// string".
func TestIDIgnoresSpelling(t *testing.T) {
	f := game().without("jti")
	first := f.String()
	f.sign = func(string) []byte {
		sig, _ := strict.DecodeString(first[strings.LastIndexByte(first, '.')+1:])
		s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:]))
		s.FillBytes(sig[32:])
		return sig
	}
	second := f.String()
	v := newVerifier()
	a, errA := verify(t, v, first)
	b, errB := verify(t, v, second)
	if errA != nil || errB != nil || first == second || a.ID != b.ID || !strings.HasPrefix(a.ID, "sha256:") {
		t.Errorf("IDs %v and %v (%v, %v), want one", a, b, errA, errB)
	}
}

func TestClaims(t *testing.T) {
	v := newVerifier()
	c, err := verify(t, v, game().with("platform", "switch").with("build", "1.2").with("cnf", fields{"x5t#S256": thumb}).String())
	if err != nil {
		t.Fatal(err)
	}
	want := Claims{
		Issuer: "https://game.example", Subject: "player-1", ID: "id-1", KeyID: "es", Scope: "match:42 chat", Platform: "switch", Build: "1.2",
		Audience: c.Audience, Expires: now.Add(600e9).UTC(), NotBefore: now.UTC(), IssuedAt: now.UTC(),
		Thumbprint: [32]byte([]byte(strings.Repeat("t", 32))), HasThumbprint: true,
	}
	if got := fmt.Sprintf("%+v", *c); got != fmt.Sprintf("%+v", want) || !slices.Equal(c.Audience, []string{"arena-7"}) {
		t.Errorf("got  %s\nwant %+v", got, want)
	}
	for name, want := range map[string]bool{"match:42": true, "chat": true, "match:4": false, "match:42 chat": false, "": false} {
		if c.HasScope(name) != want {
			t.Errorf("HasScope(%q) = %v", name, !want)
		}
	}
	c, err = verify(t, v, cognito().String())
	if err != nil || c.SignIn != "sign-in-1" || !slices.Equal(c.Audience, []string{"client"}) {
		t.Errorf("Cognito: %+v, %v", c, err)
	}
	c, err = verify(t, v, nakama().String())
	if err != nil || c.Issuer != "nakama" || c.Subject[:8] != "8750a1c4" || c.Username != "ann" || c.SignIn[:8] != "d3ff70a3" || c.ID == c.SignIn {
		t.Errorf("Nakama: %+v, %v", c, err)
	}
	c, err = verify(t, v, nakama().with("uid", strings.ToUpper(aUUID)).String())
	if err != nil || c.Subject != aUUID {
		t.Errorf("upper case makes another player of one: %+v, %v", c, err)
	}
	for name, f := range map[string]*forgery{"Cognito": cognito(), "Nakama": nakama()} {
		if c, err = verify(t, v, f.with("platform", 3).with("build", "a\nb").String()); err != nil || c.Platform != "" || c.Build != "" {
			t.Errorf("%s, other claims of these names: %+v, %v", name, c, err)
		}
		if c, err = verify(t, v, f.with("platform", "ios").with("build", "1.2").String()); err != nil || c.Platform != "ios" || c.Build != "1.2" {
			t.Errorf("%s, with platform and build: %+v, %v", name, c, err)
		}
	}
}
