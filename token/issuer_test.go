package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func newIssuer() *Issuer {
	return must(NewIssuer(IssuerConfig{Issuer: "https://game.example", Audience: "arena-7"}))
}

// What is minted is accepted, with every field where it belongs, by a verifier that knows the issuer only by its JWK set.
func TestMint(t *testing.T) {
	i := newIssuer()
	p := i.Profile()
	p.Keys = must(ParseKeys(i.JWKS(), ES256))
	v := must(NewVerifier(p))
	sum := [32]byte{1, 2, 3}
	raw, err := i.Mint(now.Add(400*time.Millisecond), Grant{
		Subject: "Zoë", Scope: "match:42 chat", Platform: "switch", Build: "1.2", Life: time.Minute, Thumbprint: &sum,
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := verify(t, v, raw)
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer != "https://game.example" || c.Subject != "Zoë" || c.Scope != "match:42 chat" {
		t.Errorf("got %+v", c)
	}
	if c.Platform != "switch" || c.Build != "1.2" {
		t.Errorf("got %+v", c)
	}
	if !slices.Equal(c.Audience, []string{"arena-7"}) || c.Thumbprint != sum || !c.HasThumbprint || len(c.ID) < 22 {
		t.Errorf("got %+v", c)
	}
	if !c.IssuedAt.Equal(now) || !c.NotBefore.Equal(now) || !c.Expires.Equal(now.Add(time.Minute)) {
		t.Errorf("got times %v %v %v", c.IssuedAt, c.NotBefore, c.Expires)
	}
	again, err := i.Mint(now, Grant{Subject: "Zoë"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := verify(t, v, again)
	if err != nil || d.ID == c.ID || d.HasThumbprint || d.Expires.Sub(now) != DefaultLife {
		t.Errorf("second token: %+v, %v", d, err)
	}
}

// What a verifier would refuse is not minted.
func TestMintRefuses(t *testing.T) {
	i := newIssuer()
	for name, c := range map[string]struct {
		grant Grant
		want  error
	}{
		"no subject":         {Grant{}, ErrClaims},
		"long subject":       {Grant{Subject: strings.Repeat("s", 129)}, ErrClaims},
		"control character":  {Grant{Subject: "a\nb"}, ErrClaims},
		"not UTF-8":          {Grant{Subject: "a\xff"}, ErrMalformed},
		"a name of ours":     {Grant{Subject: "a", Custom: map[string]any{"sub": "b"}}, ErrMalformed},
		"a name like ours":   {Grant{Subject: "a", Custom: map[string]any{"SUB": "b"}}, ErrMalformed},
		"an object":          {Grant{Subject: "a", Custom: map[string]any{"x": map[string]any{}}}, ErrMalformed},
		"a long text":        {Grant{Subject: "a", Custom: map[string]any{"x": strings.Repeat("x", 257)}}, ErrMalformed},
		"no JSON":            {Grant{Subject: "a", Custom: map[string]any{"x": func() {}}}, ErrMalformed},
		"too much":           {Grant{Subject: "a", Custom: map[string]any{"x": strings.Repeat("x", 256), "y": slices.Repeat([]string{strings.Repeat("y", 200)}, 4)}}, ErrMalformed},
		"no name":            {Grant{Subject: "a", Custom: map[string]any{"": "x"}}, ErrMalformed},
		"two spaces":         {Grant{Subject: "a", Scope: "a  b"}, ErrClaims},
		"life below 1 s":     {Grant{Subject: "a", Life: time.Second - 1}, ErrClaims},
		"life negative":      {Grant{Subject: "a", Life: -time.Hour}, ErrClaims},
		"life over issuer's": {Grant{Subject: "a", Life: DefaultLife + time.Second}, ErrClaims},
		"too long": {
			Grant{strings.Repeat("<", 128), strings.Repeat("<", 1024), "<", "<", 0, nil, nil}, ErrMalformed,
		},
	} {
		if raw, err := i.Mint(now, c.grant); !errors.Is(err, c.want) || raw != "" {
			t.Errorf("%s: %q, %v, want %v", name, raw, err, c.want)
		}
	}
}

func TestIssuerConfig(t *testing.T) {
	for name, c := range map[string]struct {
		config IssuerConfig
		want   error
	}{
		"no issuer":         {IssuerConfig{Audience: "a"}, ErrConfig},
		"no audience":       {IssuerConfig{Issuer: "i"}, ErrConfig},
		"life over 24 h":    {IssuerConfig{Issuer: "i", Audience: "a", Life: LongestLife + 1}, ErrConfig},
		"life negative":     {IssuerConfig{Issuer: "i", Audience: "a", Life: -1}, ErrConfig},
		"name of 257 bytes": {IssuerConfig{Issuer: "i", Audience: "a", KeyID: strings.Repeat("k", 257)}, ErrKey},
		"audience too long": {IssuerConfig{Issuer: "i", Audience: strings.Repeat("a", 257)}, ErrConfig},
	} {
		if i, err := NewIssuer(c.config); !errors.Is(err, c.want) || i != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// A saved key is the same issuer tomorrow.
func TestSigningKey(t *testing.T) {
	i := newIssuer()
	saved := must(i.Key().PEM())
	later := must(NewIssuer(IssuerConfig{Issuer: "https://game.example", Audience: "arena-7", Key: must(ParseSigningKey(saved))}))
	raw := must(later.Mint(now, Grant{Subject: "a"}))
	if _, err := verify(t, must(NewVerifier(i.Profile())), raw); err != nil {
		t.Errorf("token of the loaded key: %v", err)
	}
	if string(i.JWKS()) != string(later.JWKS()) {
		t.Errorf("got %s, want %s", later.JWKS(), i.JWKS())
	}
	sec1 := armor("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ecKey())))
	if k, err := ParseSigningKey(sec1); err != nil || !k.key().Equal(ecKey()) {
		t.Errorf("SEC 1: %v", err)
	}
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	for name, data := range map[string]string{
		"P-384":      string(armor("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(p384)))),
		"SEC 1 junk": string(armor("EC PRIVATE KEY", []byte("x"))),
		"RSA":        string(armor("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(rsaKey())))),
		"empty":      "", "not PEM": "x", "two": string(saved) + string(saved), "something after": string(saved) + "x",
		"public": string(armor("PUBLIC KEY", []byte("x"))), "mislabelled": strings.ReplaceAll(string(saved), "PRIVATE", "PUBLIC"),
	} {
		if _, err := ParseSigningKey([]byte(data)); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
	}
	if _, err := (SigningKey{}).PEM(); !errors.Is(err, ErrKey) {
		t.Errorf("zero key: %v, want ErrKey", err)
	}
	if _, err := NewSigningKey(nil); !errors.Is(err, ErrKey) {
		t.Errorf("nil key: %v, want ErrKey", err)
	}
}
