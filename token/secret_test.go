package token

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"math/big"
	"reflect"
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

// Errors have fixed texts: nothing of a token or a key comes through.
func TestErrorsQuoteNothing(t *testing.T) {
	v := newVerifier()
	known := []error{
		ErrMalformed, ErrIssuer, ErrAlgorithm, ErrClaims, ErrAudience, ErrExpired, ErrNotYetValid, ErrUnknownKey,
		ErrUnavailable, ErrSignature, ErrLife, ErrGroup,
	}
	fixed := map[error]bool{}
	for _, err := range known {
		fixed[err] = true
		if !strings.HasPrefix(err.Error(), "token: ") {
			t.Errorf("%v", err)
		}
	}
	for _, r := range rules() {
		for _, bad := range r.refuse {
			if _, err := verify(t, v, bad.token.String()); !fixed[err] {
				t.Errorf("%v", err)
			}
		}
	}
}
