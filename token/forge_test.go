package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"
)

// now is when all tests take place.
var now = time.Unix(1_800_000_000, 0)

const secret = "a secret of thirty-two bytes, ok"

// Keys that sign test tokens: made once, by nobody we tell the verifier about unless a profile says so.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	otherKey = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return must(k, err)
	})
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func keys(k Key, err error) *StaticKeys { return must(NewStaticKeys(must(k, err))) }

// profiles are one issuer per algorithm and form, without leeway.
func profiles() []Profile {
	return []Profile{
		{
			Issuer: "https://game.example", Audience: []string{"arena-7", "arena-8"}, Algorithm: ES256, Type: "at+jwt",
			Keys: keys(NewPublicKey("es", ES256, &ecKey().PublicKey)), Leeway: -1,
		},
		{
			Issuer: "https://ed.example", Audience: []string{"arena-7"}, Algorithm: EdDSA, Leeway: -1,
			Keys: keys(NewPublicKey("ed", EdDSA, edKey().Public())),
		},
		{
			Issuer: "https://secret.example", Audience: []string{"arena-7"}, Algorithm: HS256, Leeway: -1,
			Keys: keys(NewSecretKey("hs", []byte(secret))), Keep: []string{"rank", "list", "id"},
		},
		{
			Issuer: "https://cognito.example/pool", Audience: []string{"client"}, Algorithm: RS256, Form: FormCognito,
			Keys: keys(NewPublicKey("rs", RS256, &rsaKey().PublicKey)), MaxLife: time.Hour, Leeway: -1,
		},
		{
			Issuer: "nakama", Algorithm: HS256, Form: FormNakama, Keys: keys(NewSecretKey("", []byte(secret))), Leeway: -1,
		},
	}
}

func newVerifier() *Verifier { return must(NewVerifier(profiles()...)) }

type fields = map[string]any

// A forgery is a token in the making. rawHeader and rawClaims, when set, stand for what the maps would give.
type forgery struct {
	header, claims       fields
	rawHeader, rawClaims string
	sign                 func(signed string) []byte
}

// game is a good token of the first profile; the others likewise.
func game() *forgery {
	return &forgery{
		header: fields{"alg": "ES256", "typ": "at+jwt", "kid": "es"},
		claims: fields{
			"iss": "https://game.example", "aud": "arena-7", "sub": "player-1", "jti": "id-1",
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Unix() + 600, "scope": "match:42 chat",
		},
		sign: func(s string) []byte { return signES256(ecKey(), s) },
	}
}

func eddsa() *forgery {
	f := game()
	f.header = fields{"alg": "EdDSA", "kid": "ed"}
	f.claims["iss"] = "https://ed.example"
	f.sign = func(s string) []byte { return ed25519.Sign(edKey(), []byte(s)) }
	return f
}

func hmacSigned() *forgery {
	f := game()
	f.header = fields{"alg": "HS256", "typ": "JWT", "kid": "hs"}
	f.claims["iss"] = "https://secret.example"
	f.sign = func(s string) []byte { return signHS256([]byte(secret), s) }
	return f
}

func cognito() *forgery {
	return &forgery{
		header: fields{"alg": "RS256", "kid": "rs"},
		claims: fields{
			"iss": "https://cognito.example/pool", "client_id": "client", "token_use": "access", "sub": "ebc40646",
			"jti": "id-1", "origin_jti": "sign-in-1", "scope": "aws.cognito.signin.user.admin", "version": 2,
			"cognito:groups": []string{"players"}, "auth_time": now.Unix(), "iat": now.Unix(), "exp": now.Unix() + 3600,
		},
		sign: func(s string) []byte { return signRS256(rsaKey(), crypto.SHA256, s) },
	}
}

func nakama() *forgery {
	return &forgery{
		header: fields{"alg": "HS256", "typ": "JWT"},
		claims: fields{
			"tid": "d3ff70a3-7e85-4cc8-99ba-fee526275573", "uid": "8750a1c4-ef1b-40f0-bed5-12c1a429f1d7",
			"usn": "ann", "vrs": fields{"role": "admin"}, "iat": now.Unix() - 7200, "exp": now.Unix() + 60,
		},
		sign: func(s string) []byte { return signHS256([]byte(secret), s) },
	}
}

var everyForm = map[string]func() *forgery{
	"ES256": game, "EdDSA": eddsa, "HS256": hmacSigned, "RS256": cognito, "Nakama": nakama,
}

func (f *forgery) with(name string, value any) *forgery {
	f.claims[name] = value
	return f
}

func (f *forgery) without(name string) *forgery {
	delete(f.claims, name)
	return f
}

func (f *forgery) head(name string, value any) *forgery {
	f.header[name] = value
	return f
}

// text is the claims with extra put behind the first brace, for what a map cannot hold.
func (f *forgery) text(extra string) *forgery {
	f.rawClaims = "{" + extra + "," + string(must(json.Marshal(f.claims)))[1:]
	return f
}

func (f *forgery) headText(extra string) *forgery {
	f.rawHeader = "{" + extra + "," + string(must(json.Marshal(f.header)))[1:]
	return f
}

func (f *forgery) signed() string {
	h, c := f.rawHeader, f.rawClaims
	if h == "" {
		h = string(must(json.Marshal(f.header)))
	}
	if c == "" {
		c = string(must(json.Marshal(f.claims)))
	}
	return b64(h) + "." + b64(c)
}

func (f *forgery) String() string {
	signed := f.signed()
	return signed + "." + b64(string(f.sign(signed)))
}

// copy lets a signature outlive the changes made afterwards.
func (f *forgery) copy() *forgery {
	c := *f
	c.header, c.claims = maps.Clone(f.header), maps.Clone(f.claims)
	return &c
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func signES256(k *ecdsa.PrivateKey, s string) []byte {
	sum := sha256.Sum256([]byte(s))
	r, t, err := ecdsa.Sign(rand.Reader, k, sum[:])
	if err != nil {
		panic(err)
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	t.FillBytes(out[32:])
	return out
}

func signRS256(k *rsa.PrivateKey, h crypto.Hash, s string) []byte {
	sum := sha256.Sum256([]byte(s))
	digest := sum[:]
	if h == crypto.SHA384 {
		sum := sha512.Sum384([]byte(s))
		digest = sum[:]
	}
	return must(rsa.SignPKCS1v15(nil, k, h, digest))
}

func signPS256(k *rsa.PrivateKey, s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return must(rsa.SignPSS(rand.Reader, k, crypto.SHA256, sum[:], nil))
}

func signHS256(secret []byte, s string) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(s))
	return m.Sum(nil)
}

func verify(t testing.TB, v *Verifier, raw string) (*Claims, error) {
	t.Helper()
	c, err := v.Verify(t.Context(), now, []byte(raw))
	if (c == nil) != (err != nil) {
		t.Fatalf("Verify gave claims %v and error %v; want exactly one", c, err)
	}
	return c, err
}

func numbers(format string, n int) (s string) {
	for i := range n {
		s += fmt.Sprintf(format, i)
	}
	return s
}
