package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// FuzzVerify: no input panics; what is accepted is accepted again, by the cache and by a verifier that never saw it,
// with the same claims; and one byte changed anywhere makes it another token, which nobody signed.
func FuzzVerify(f *testing.F) {
	for _, forge := range everyForm {
		raw := []byte(forge().String())
		for pos := 0; pos < len(raw); pos += 37 {
			f.Add(raw, uint16(pos), byte('A'))
		}
		f.Add(raw, uint16(len(raw)-1), byte('_'))
	}
	for _, r := range rules() {
		for _, bad := range r.refuse[:1] {
			f.Add([]byte(bad.token.String()), uint16(0), byte('\n'))
		}
	}
	for _, raw := range []string{
		game().String() + "\n", "\ufeff" + game().String(), ofLength(MaxLen + 1).String(), game().text(`"x":"\ud83c\udfae\ufffd"`).String(),
		game().with("scope", strings.Repeat("game/level ", 300)+"x").String(), cognito().with("build", 42).with("platform", nil).String(),
	} {
		f.Add([]byte(raw), uint16(len(raw)/2), byte('_'))
	}
	warm := newVerifier()
	f.Fuzz(func(t *testing.T, raw []byte, pos uint16, b byte) {
		if acceptedTwice(t, warm, string(raw)) == nil {
			return
		}
		if i := int(pos) % len(raw); raw[i] != b {
			raw[i] = b
			if c, err := verify(t, warm, string(raw)); err == nil {
				t.Errorf("byte %d changed to %q: accepted as %+v", i, b, c)
			}
		}
	})
}

// FuzzClaims: any header and claims, well signed. What is accepted obeys the rules, and encoding/json, which knows
// none of them, reads the same.
func FuzzClaims(f *testing.F) {
	for _, forge := range everyForm {
		g := forge()
		f.Add(string(must(json.Marshal(g.header))), string(must(json.Marshal(g.claims))))
	}
	f.Add(`{"alg":"HS256","kid":"hs"}`, `{"iss":"https://secret.example","sub":"s","aud":"arena-7","exp":1800000060,"rank":"\ud83c\udfae","list":["a"],"id":9007199254740993}`)
	f.Add(`{"alg":"HS256","kid":"hs"}`, `{"iss":"https://secret.example","sub":"\ud800\ud83c","aud":"arena-7","exp":1800000060,"rank":{"rank":1},"list":["a",1],"id":1e400}`)
	f.Add(`{"alg":"HS256"}`, `{"uid":"8750a1c4-ef1b-40f0-bed5-12c1a429f1d7","tid":"t","exp":1800000060,"cnf":{"x5t#S256":"`+thumb+`"}}`)
	f.Add(`{"alg":"HS256","kid":"hs"}`, `{"iss":"https://secret.example","sub":"s","aud":["arena-7"],"exp":1.80000006e9,"EXP":1}`)
	warm := newVerifier()
	f.Fuzz(func(t *testing.T, header, claims string) {
		signed := b64(header) + "." + b64(claims)
		raw := signed + "." + b64(string(signHS256([]byte(secret), signed)))
		c := acceptedTwice(t, warm, raw)
		if c == nil {
			return
		}
		var twin struct{ Exp float64 }
		loose := map[string]any{}
		numbers := json.NewDecoder(strings.NewReader(claims))
		numbers.UseNumber() // some fit no float64
		if json.Unmarshal([]byte(claims), &twin) != nil || numbers.Decode(&loose) != nil {
			t.Fatal("accepted what is no JSON")
		}
		for name, v := range c.Custom {
			if got, want := fmt.Sprint(v), fmt.Sprint(loose[name]); v != nil && got != want {
				if f, err := strconv.ParseFloat(want, 64); err != nil || v != f {
					t.Errorf("%s: %v, encoding/json reads %v", name, v, want)
				}
			}
		}
		if sub := loose["sub"]; c.Issuer != "nakama" && sub != c.Subject || c.Issuer == "nakama" && !strings.EqualFold(fmt.Sprint(loose["uid"]), c.Subject) {
			t.Errorf("subject %q, encoding/json reads %v", c.Subject, sub)
		}
		if d := twin.Exp - float64(c.Expires.UnixNano())/1e9; d > 1e-3 || d < -1e-3 {
			t.Errorf("expires %v, encoding/json reads %v", c.Expires, twin.Exp)
		}
		if !c.Expires.After(now) || c.ID == "" || c.Subject == "" || len(c.Subject) > 128 || len(raw) > maxVerified {
			t.Errorf("accepted %+v", c)
		}
	})
}

// acceptedTwice returns the claims of raw, or nil, after asking three times.
func acceptedTwice(t *testing.T, warm *Verifier, raw string) *Claims {
	first, err := verify(t, warm, raw)
	again, errAgain := verify(t, warm, raw)
	cold, errCold := verify(t, newVerifier(), raw)
	if !sameError(err, errAgain) || !sameError(err, errCold) || !reflect.DeepEqual(first, again) || !reflect.DeepEqual(first, cold) {
		t.Fatalf("first %+v, %v; again %+v, %v; cold %+v, %v", first, err, again, errAgain, cold, errCold)
	}
	return first
}

func sameError(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// Every single byte of every kind of token, changed to every other byte that could matter.
func TestSingleByteEdits(t *testing.T) {
	v := newVerifier()
	for name, forge := range everyForm {
		raw := forge().String()
		if _, err := verify(t, v, raw); err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			for _, b := range []byte{raw[i] ^ 1, raw[i] ^ 0x20, raw[i] ^ 0x80, 'A', '.', '\n', '=', 0} {
				edited := []byte(raw)
				if edited[i] = b; b == raw[i] {
					continue
				}
				if _, err := v.Verify(t.Context(), now, edited); err == nil {
					t.Errorf("%s: byte %d changed to %q: accepted", name, i, b)
				}
			}
		}
	}
}

// FuzzJWKS: any answer of an endpoint. What is accepted are 1 to 64 public keys with names, for the one algorithm, that
// survive being published again.
func FuzzJWKS(f *testing.F) {
	rs, es := must(NewPublicKey("rs", RS256, &rsaKey().PublicKey)), must(NewPublicKey("es", ES256, &ecKey().PublicKey))
	ed := must(NewPublicKey("ed", EdDSA, edKey().Public()))
	all := marshalJWKSet(rs, es, ed)
	for _, seed := range []string{
		string(all), string(all) + " ", `{"keys":[]}`, `{"keys":[{}]}`, `{"keys":[1]}`, `{"keys":null}`, `<html>`, ``,
		strings.Replace(string(all), `"kty"`, `"d":"AQAB","kty"`, 1), strings.Replace(string(all), `"sig"`, `"enc"`, 1),
		strings.Replace(string(all), `"kid":"rs"`, `"kid":""`, 1), `{"keys":[{"kty":"oct","k":"AAAA"}]}`, nested(9),
		strings.Replace(string(all), `"kty"`, `"key_ops":["verify"],"kty"`, 1), strings.Replace(string(all), `"AQAB"`, `"AQABAQAB"`, 1),
	} {
		f.Add([]byte(seed), uint8(len(seed)))
	}
	algorithms := []Algorithm{RS256, ES256, EdDSA}
	f.Fuzz(func(t *testing.T, body []byte, which uint8) {
		alg := algorithms[int(which)%len(algorithms)]
		set, err := parsePublished(body, alg)
		if err != nil {
			if !errors.Is(err, ErrKey) {
				t.Errorf("%v", err)
			}
			return
		}
		if n := len(set.keys); n < 1 || n > maxKeys || len(body) > maxKeySetLen {
			t.Errorf("%d keys of %d bytes", n, len(body))
		}
		for id, k := range set.keys {
			if id == "" || id != k.ID() || k.Algorithm() != alg {
				t.Errorf("key %q: %q, %v", id, k.ID(), k.Algorithm())
			}
			again, err := parsePublished(marshalJWKSet(k), alg)
			if err != nil || !again.find(id).equal(k) {
				t.Errorf("published again: %v", err)
			}
		}
	})
}
