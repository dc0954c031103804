package token

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

var thumb = b64(strings.Repeat("t", 32))

// cognitoSignedAs is a good Cognito token but for the algorithm, under which the signature is right.
func cognitoSignedAs(alg string, sig []byte) fmt.Stringer {
	f := cognito().head("alg", alg)
	f.sign = func(string) []byte { return sig }
	return f
}

// confused are tokens signed by HMAC with what everybody knows of the RSA key: its bytes in each usual form.
func confused(header fields) (out []fmt.Stringer) {
	spki := must(x509.MarshalPKIXPublicKey(&rsaKey().PublicKey))
	armored := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	for _, secret := range [][]byte{spki, armored, armored[:len(armored)-1], rsaKey().N.Bytes(), {}} {
		f := cognito().head("alg", "HS256")
		for name, value := range header {
			f.head(name, value)
		}
		f.sign = func(s string) []byte { return signHS256(secret, s) }
		out = append(out, f)
	}
	return out
}

// unsigned says alg and still has a signature, that of ES256.
func unsigned(alg string) fmt.Stringer { return game().head("alg", alg) }

// bare has no signature at all.
func bare(alg string) fmt.Stringer { return text(game().head("alg", alg).signed() + ".") }

func withoutAlg() string {
	f := game()
	delete(f.header, "alg")
	return f.String()
}

func withoutType() string {
	f := game()
	delete(f.header, "typ")
	return f.String()
}

// signedByOther is by a key that the issuer does not have.
func signedByOther() fmt.Stringer {
	f := game()
	f.sign = func(s string) []byte { return signES256(otherKey(), s) }
	return f
}

// badES256 are signatures that are no numbers in range, in other encodings, of other lengths.
func badES256() (out []fmt.Stringer) {
	good := signES256(ecKey(), game().signed())
	zero, n := make([]byte, 32), elliptic.P256().Params().N
	r, s := good[:32], good[32:]
	overflow := func(b []byte) []byte { return new(big.Int).Add(n, new(big.Int).SetBytes(b)).Bytes() }
	for _, sig := range [][]byte{
		slices.Concat(zero, zero), slices.Concat(zero, s), slices.Concat(r, zero),
		slices.Concat(n.Bytes(), s), slices.Concat(r, n.Bytes()),
		slices.Concat(n.Bytes(), n.Bytes()), slices.Concat(r, overflow(s)), slices.Concat(zero[:31], []byte{1}, zero[:31], []byte{1}),
		good[:63], append(slices.Clone(good), 0), append([]byte{0}, good...), slices.Concat(s, r),
		{0},
		slices.Repeat([]byte{0xff}, 64),
		asn1Signature(r, s),
	} {
		f := game()
		f.sign = func(string) []byte { return sig }
		out = append(out, f)
	}
	return out
}

// asn1Signature is the form that X.509 uses and JWS does not.
func asn1Signature(r, s []byte) []byte {
	one := func(b []byte) []byte { return slices.Concat([]byte{2, 33, 0}, b) }
	return slices.Concat([]byte{0x30, 70}, one(r), one(s))
}

// respelled are other spellings of one token that some decoder takes for the same.
func respelled(raw string) (out []fmt.Stringer) {
	dot := strings.IndexByte(raw, '.')
	for _, odd := range []string{"\n", "\r\n", "\r", " ", "=", "==", "\t", "\x00", "+", "/", "é", "%2E"} {
		out = append(out, text(raw+odd), text(odd+raw), text(raw[:dot]+odd+raw[dot:]), text(raw[:dot+1]+odd+raw[dot+1:]),
			text(raw[:dot+5]+odd+raw[dot+5:]))
	}
	// The last character of 64 bytes carries 2 bits of them; strays are the other 4, which must be zero.
	last := strings.IndexByte(alphabet, raw[len(raw)-1])
	for stray := 1; stray < 16; stray++ {
		out = append(out, text(raw[:len(raw)-1]+alphabet[last+stray:last+stray+1]))
	}
	return append(out, text("Bearer "+raw), text(strings.ReplaceAll(raw, ".", "。")))
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// ofLength is a good token of exactly n bytes.
func ofLength(n int) *forgery {
	for pad := range 3 {
		f := game().head("pad", strings.Repeat("p", pad))
		for len(f.String()) < n {
			missing := n - len(f.String())
			was, _ := f.claims["pad"].(string)
			f.with("pad", was+strings.Repeat("p", max(1, missing/2)))
		}
		if len(f.String()) == n {
			return f
		}
	}
	panic("no token of this length")
}

func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
