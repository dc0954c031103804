package testkit

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
)

// Sign returns a token with these claims, which may be a json.RawMessage, by the newest key. Fields of header replace or
// join its own, and nil ones are left out; the signature is what alg says, so that a forgery is as good as it can be.
func (p *IDP) Sign(t testing.TB, claims any, header map[string]any) string {
	t.Helper()
	p.mu.Lock()
	k := p.keys[len(p.keys)-1]
	p.mu.Unlock()
	h := map[string]any{"alg": "RS256", "kid": k.id}
	maps.Copy(h, header)
	maps.DeleteFunc(h, func(_ string, value any) bool { return value == nil })
	signed := encode(encodeJSON(h)) + "." + encode(encodeJSON(claims))
	signature, err := sign(h["alg"], k.key, []byte(signed))
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + encode(signature)
}

// sign signs as an attacker would who has the key, or for HS256 as one who has read the public half, and for none not at
// all.
func sign(alg any, k *rsa.PrivateKey, signed []byte) ([]byte, error) {
	short, long := sha256.Sum256(signed), sha512.Sum384(signed)
	switch alg {
	case "none":
		return nil, nil
	case "RS384":
		return rsa.SignPKCS1v15(nil, k, crypto.SHA384, long[:])
	case "PS256":
		return rsa.SignPSS(rand.Reader, k, crypto.SHA256, short[:], nil)
	case "HS256":
		public, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
		mac := hmac.New(sha256.New, public)
		mac.Write(signed)
		return mac.Sum(nil), err
	}
	return rsa.SignPKCS1v15(nil, k, crypto.SHA256, short[:])
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// encodeJSON encodes maps of strings, numbers and lists, which always succeeds.
func encodeJSON(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}
