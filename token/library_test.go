package token

import (
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Why golang-jwt is asked for signatures only: used as its documentation says, it accepts each of these.
func TestLibraryAloneIsNotEnough(t *testing.T) {
	good := game().String()
	late := game().with("exp", now.Unix()-1)
	bad := map[string]string{
		"crit names a claim":           game().head("crit", []string{"exp"}).String(),
		"crit names an extension":      game().head("crit", []string{"https://example/x"}).String(),
		"crit b64":                     game().head("crit", []string{"b64"}).head("b64", true).String(),
		"crit empty":                   game().head("crit", []string{}).String(),
		"crit no array":                game().head("crit", "exp").String(),
		"EXP overrides exp":            late.copy().text(`"x":1`).tail(`"EXP":1800000600`).String(),
		"Exp stands for exp":           game().without("exp").with("Exp", now.Unix()+600).String(),
		"Sub stands for sub":           game().without("sub").with("Sub", "admin").String(),
		"ſub stands for sub":           game().without("sub").with("ſub", "admin").String(),
		"SUB overrides sub":            game().text(`"x":1`).tail(`"SUB":"admin"`).String(),
		"the last of two exp wins":     late.copy().text(`"x":1`).tail(`"exp":1800000600`).String(),
		"newline after the signature":  good + "\n",
		"newline inside the signature": good[:len(good)-4] + "\r\n" + good[len(good)-4:],
		"tab in scope":                 game().with("scope", "chat\tadmin").String(),
	}
	if len(bad) != 14 {
		t.Errorf("%d tokens, want 14", len(bad))
	}
	v := newVerifier()
	for name, raw := range bad {
		if err := libraryAlone(raw); err != nil {
			t.Errorf("%s: golang-jwt now refuses it: %v", name, err)
		}
		if c, err := verify(t, v, raw); err == nil {
			t.Errorf("%s: accepted as %+v", name, c)
		}
	}
}

// libraryAlone verifies raw with golang-jwt, every option set that its documentation recommends.
func libraryAlone(raw string) error {
	_, err := jwt.ParseWithClaims(raw, &jwt.RegisteredClaims{}, func(*jwt.Token) (any, error) { return &ecKey().PublicKey, nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer("https://game.example"), jwt.WithAudience("arena-7"),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(func() time.Time { return now }))
	return err
}

// tail puts extra before the last brace of the claims.
func (f *forgery) tail(extra string) *forgery {
	f.rawClaims = f.rawClaims[:len(f.rawClaims)-1] + "," + extra + "}"
	return f
}
