package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// "JWT, which may be missing too": the usage of -typ.
func TestTypeMayBeMissing(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","alg":"EdDSA","x":%q}]}`, encode(public))
	}))
	defer provider.Close()
	now := time.Now()
	payload := encode(fmt.Appendf(nil, `{"iss":"https://id.test","aud":"arena","sub":"alice","iat":%d,"exp":%d}`, now.Unix(), now.Unix()+300))
	for typ, admitted := range map[string]map[string]bool{
		"":       {"": true, `"typ":"JWT",`: true, `"typ":"at+jwt",`: false},
		"JWT":    {"": true, `"typ":"JWT",`: true, `"typ":"at+jwt",`: false},
		"at+jwt": {"": false, `"typ":"JWT",`: false, `"typ":"at+jwt",`: true},
	} {
		f := newFlags(func(string) string { return "" })
		if err := f.set.Parse([]string{"-issuer", "https://id.test", "-audience", "arena", "-jwks", provider.URL, "-alg", "EdDSA", "-typ", typ}); err != nil {
			t.Fatal(err)
		}
		v, err := f.verifier()
		if err != nil {
			t.Fatal(err)
		}
		for has, want := range admitted {
			signed := encode(fmt.Appendf(nil, `{%s"alg":"EdDSA","kid":"k"}`, has)) + "." + payload
			raw := signed + "." + encode(ed25519.Sign(private, []byte(signed)))
			if _, err := v.Verify(t.Context(), now, []byte(raw)); (err == nil) != want {
				t.Errorf("-typ %q: a token with {%s} is admitted: %v (%v)", typ, has, err == nil, err)
			}
		}
	}
}
