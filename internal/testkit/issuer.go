package testkit

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/token"
)

// IssuerName is the iss, and Audience the aud, of an Issuer's tokens.
const (
	IssuerName = "https://issuer.test"
	Audience   = "server.test"
)

// Issuer is an identity provider with a fresh key and lives of 15 minutes. It is safe for concurrent use.
type Issuer struct{ *token.Issuer }

// NewIssuer returns an issuer whose tokens no other's Verifier accepts.
func NewIssuer(t testing.TB) *Issuer {
	t.Helper()
	i, err := token.NewIssuer(token.IssuerConfig{Issuer: IssuerName, Audience: Audience})
	if err != nil {
		t.Fatal(err)
	}
	return &Issuer{i}
}

// Verifier returns a verifier that accepts this issuer's tokens alone.
func (i *Issuer) Verifier(t testing.TB) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(i.Profile())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Token returns a token that is valid from the present instant, which in a bubble is the bubble's.
func (i *Issuer) Token(t testing.TB, g token.Grant) string {
	t.Helper()
	s, err := i.Mint(time.Now(), g)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
