package token

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// "A secret is a type. Behind a func, its bytes are out of reach of ==, fmt, slog and encoders."
func TestSecretsStayInside(t *testing.T) {
	i := must(NewIssuer(IssuerConfig{Issuer: "i", Audience: "a", Key: must(NewSigningKey(ecKey()))}))
	v := newVerifier()
	hs := must(NewSecretKey("hs", []byte(secret)))
	raw := game().String()
	must(verify(t, v, raw))
	holders := []any{hs, &hs, i, *i, i.Key(), i.config, i.Profile(), v, *v, v.unnamed, *v.unnamed, v.unnamed.Keys, keys(hs, nil)}
	d := must(ecKey().Bytes())
	for _, h := range holders {
		out := everyWay(h)
		for _, inside := range [][]byte{[]byte(secret), d, []byte(raw)} {
			for _, spelling := range []string{
				string(inside), hex.EncodeToString(inside), b64(string(inside))[:40], fmt.Sprint(inside[:16])[1:40],
			} {
				if strings.Contains(strings.ToLower(out), strings.ToLower(spelling)) {
					t.Errorf("%T shows a secret as %.20q", h, spelling)
				}
			}
		}
		if n := new(big.Int).SetBytes(d).String(); strings.Contains(out, n) { // as JSON would write it
			t.Errorf("%T shows the private key in decimal", h)
		}
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[Key](), reflect.TypeFor[SigningKey](), reflect.TypeFor[IssuerConfig]()} {
		if typ.Comparable() {
			t.Errorf("%v compares with ==", typ)
		}
	}
}

func everyWay(v any) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%v %+v %#v %s %q %x %d", v, v, v, v, v, v, v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	j, _ := json.Marshal(v)
	x, _ := xml.Marshal(v)
	b.Write(j)
	b.Write(x)
	_ = gob.NewEncoder(&b).Encode(v)
	return b.String()
}

// Errors have fixed texts: whatever an attacker writes anywhere in a token does not come through, and
// a time only as a number of seconds.
func TestErrorsQuoteNothing(t *testing.T) {
	v := newVerifier()
	const canary = "xyzzy"
	words := map[string]bool{}
	refusals := slices.Clone(rules())
	for _, name := range append(slices.Clone(claimNames), canary) {
		for _, forge := range everyForm {
			unsigned := func() *forgery { // signatures take time
				f := forge()
				f.sign = func(string) []byte { return []byte(canary) }
				return f
			}
			refusals = append(refusals, rule{refuse: no(nil, unsigned().with(name, canary+"\n"), unsigned().with(name, []any{canary, 1}),
				unsigned().with(strings.ToUpper(name), canary), unsigned().with(name, fields{canary: canary}))})
		}
	}
	for _, name := range append(slices.Clone(forbidden), "alg", "kid", "typ", canary) {
		refusals = append(refusals, rule{refuse: no(nil, game().head(name, canary), game().head(name, fields{canary: canary}))})
	}
	for _, r := range refusals {
		for _, bad := range r.refuse {
			_, err := verify(t, v, bad.token.String())
			if err == nil {
				continue
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || strings.Contains(err.Error(), canary) || !strings.HasPrefix(err.Error(), e.Unwrap().Error()) && e.By == 0 {
				t.Errorf("%v", err)
			}
			e.By = 0
			words[e.Error()] = true
		}
	}
	if n := len(words); n < 50 || n > 100 {
		t.Errorf("%d texts", n)
	}
}
