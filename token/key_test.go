package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

// modulus is an odd number of n bits; whether it has two prime factors nobody can tell.
func modulus(bits int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return n.SetBit(n, 0, 1)
}

// RFC 8725 3.4 and 3.5: RSA of 2048 to 4096 bits with e odd and at least 3, a point on P-256, one algorithm per key.
func TestPublicKey(t *testing.T) {
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	ec := &ecKey().PublicKey
	point := func(x, y *big.Int) *ecdsa.PublicKey {
		//lint:ignore SA1019 no other way makes a bad point, which a caller may still hand us
		return &ecdsa.PublicKey{Curve: elliptic.P256(), X: x, Y: y}
	}
	for name, c := range map[string]struct {
		alg Algorithm
		pub crypto.PublicKey
		ok  bool
	}{
		"RSA 2047":            {RS256, &rsa.PublicKey{N: modulus(2047), E: 65537}, false},
		"RSA 2048":            {RS256, &rsa.PublicKey{N: modulus(2048), E: 65537}, true},
		"RSA 4096":            {RS256, &rsa.PublicKey{N: modulus(4096), E: 65537}, true},
		"RSA 4097":            {RS256, &rsa.PublicKey{N: modulus(4097), E: 65537}, false},
		"RSA even modulus":    {RS256, &rsa.PublicKey{N: new(big.Int).Add(modulus(2048), big.NewInt(1)), E: 65537}, false},
		"RSA e 1":             {RS256, &rsa.PublicKey{N: modulus(2048), E: 1}, false},
		"RSA e 2":             {RS256, &rsa.PublicKey{N: modulus(2048), E: 2}, false},
		"RSA e 3":             {RS256, &rsa.PublicKey{N: modulus(2048), E: 3}, true},
		"RSA e 4":             {RS256, &rsa.PublicKey{N: modulus(2048), E: 4}, false},
		"RSA e 0":             {RS256, &rsa.PublicKey{N: modulus(2048)}, false},
		"RSA e negative":      {RS256, &rsa.PublicKey{N: modulus(2048), E: -3}, false},
		"RSA empty":           {RS256, &rsa.PublicKey{}, false},
		"RSA nil":             {RS256, (*rsa.PublicKey)(nil), false},
		"RSA as ES256":        {ES256, &rsaKey().PublicKey, false},
		"RSA as HS256":        {HS256, &rsaKey().PublicKey, false},
		"RSA as PS256":        {"PS256", &rsaKey().PublicKey, false},
		"P-256":               {ES256, ec, true},
		"P-256 as RS256":      {RS256, ec, false},
		"P-256 as none":       {"none", ec, false},
		"P-384":               {ES256, &p384.PublicKey, false},
		"off the curve":       {ES256, point(big.NewInt(1), big.NewInt(1)), false},
		"point at infinity":   {ES256, point(big.NewInt(0), big.NewInt(0)), false},
		"no coordinates":      {ES256, point(nil, nil), false},
		"negative coordinate": {ES256, point(big.NewInt(-1), big.NewInt(1)), false},
		"huge coordinate":     {ES256, point(modulus(4096), big.NewInt(1)), false},
		"EC empty":            {ES256, &ecdsa.PublicKey{}, false},
		"EC nil":              {ES256, (*ecdsa.PublicKey)(nil), false},
		"Ed25519":             {EdDSA, edKey().Public(), true},
		"Ed25519 as ES256":    {ES256, edKey().Public(), false},
		"Ed25519 short":       {EdDSA, ed25519.PublicKey(make([]byte, 31)), false},
		"private":             {ES256, ecKey(), false},
		"bytes":               {HS256, []byte(secret), false},
		"nil":                 {ES256, nil, false},
	} {
		k, err := NewPublicKey("id", c.alg, c.pub)
		if c.ok && (err != nil || k.ID() != "id" || k.Algorithm() != c.alg) || !c.ok && !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, accepted should be %v", name, err, c.ok)
		}
	}
	if _, err := NewPublicKey(strings.Repeat("k", 257), ES256, ec); !errors.Is(err, ErrKey) {
		t.Errorf("name of 257 bytes: %v", err)
	}
}

// "HS256 key ≥ 32 bytes; start refuses Nakama's known defaults."
func TestSecretKey(t *testing.T) {
	for secret, ok := range map[string]bool{
		strings.Repeat("x", 31): false,
		strings.Repeat("x", 32): true,
		"":                      false,
		"defaultencryptionkey":  false, "defaultrefreshencryptionkey": false, "defaultkey": false, "defaultsigningkey": false,
		strings.Repeat("defaultencryptionkey", 2):                      false,
		"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD": false,
	} {
		if _, err := NewSecretKey("", []byte(secret)); (err == nil) != ok || !ok && !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v, accepted should be %v", secret, err, ok)
		}
	}
}

// A token without kid is accepted only when the issuer has exactly one key.
func TestStaticKeys(t *testing.T) {
	a, b := must(NewPublicKey("a", ES256, &ecKey().PublicKey)), must(NewPublicKey("b", ES256, &otherKey().PublicKey))
	one, two := must(NewStaticKeys(a)), must(NewStaticKeys(a, b))
	for _, c := range []struct {
		set  *StaticKeys
		kid  string
		want string
	}{
		{one, "", "a"}, {one, "a", "a"}, {one, "b", ""}, {two, "", ""}, {two, "a", "a"}, {two, "b", "b"}, {two, "c", ""},
	} {
		k, err := c.set.Key(t.Context(), c.kid)
		if k.ID() != c.want || (c.want == "") != errors.Is(err, ErrUnknownKey) {
			t.Errorf("%q of %d: %q, %v, want %q", c.kid, len(c.set.keys), k.ID(), err, c.want)
		}
	}
	p := profiles()[0]
	p.Keys = must(NewStaticKeys(must(NewPublicKey("es", ES256, &ecKey().PublicKey)), b))
	f := game()
	delete(f.header, "kid")
	if _, err := verify(t, must(NewVerifier(p)), f.String()); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("no kid, two keys: %v, want ErrUnknownKey", err)
	}
	if _, err := verify(t, newVerifier(), f.String()); err != nil {
		t.Errorf("no kid, one key: %v", err)
	}

	hs := must(NewSecretKey("", []byte(secret)))
	for name, set := range map[string][]Key{
		"none": {}, "same name": {a, a}, "zero": {{}}, "no name": {a, hs}, "many": manyKeys(65),
	} {
		if _, err := NewStaticKeys(set...); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
	}
	must(NewStaticKeys(manyKeys(64)...))
}

func manyKeys(n int) (out []Key) {
	for i := range n {
		out = append(out, must(NewSecretKey(string(rune('0'+i)), []byte(secret))))
	}
	return out
}

func armor(typ string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})
}

func selfSigned(pub, priv any) []byte {
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}, NotAfter: time.Unix(0, 0)}
	return armor("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, c, c, pub, priv)))
}

func TestParsePEM(t *testing.T) {
	ec, other := &ecKey().PublicKey, &otherKey().PublicKey
	spki := func(pub any) []byte { return armor("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(pub))) }
	cert := selfSigned(ec, ecKey())
	for name, c := range map[string]struct {
		data []byte
		alg  Algorithm
		keys int // zero: refused
	}{
		"public key":         {spki(ec), ES256, 1},
		"two":                {append(spki(ec), spki(other)...), ES256, 2},
		"the same twice":     {append(spki(ec), cert...), ES256, 1},
		"certificate":        {cert, ES256, 1},
		"spaces around":      {[]byte("\n " + string(cert) + " \n"), ES256, 1},
		"PKCS 1":             {armor("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)), RS256, 1},
		"Ed25519":            {spki(edKey().Public()), EdDSA, 1},
		"other algorithm":    {spki(ec), RS256, 0},
		"one of each":        {append(spki(ec), spki(edKey().Public())...), ES256, 0},
		"private":            {armor("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ecKey()))), ES256, 0},
		"private in public":  {armor("PUBLIC KEY", must(x509.MarshalPKCS8PrivateKey(ecKey()))), ES256, 0},
		"secret":             {[]byte(secret), HS256, 0},
		"public as secret":   {spki(ec), HS256, 0},
		"something after":    {append(spki(ec), "x"...), ES256, 0},
		"empty":              {nil, ES256, 0},
		"larger than 64 KiB": {append(spki(ec), bytes.Repeat([]byte{' '}, maxKeySetLen)...), ES256, 0},
	} {
		s, err := ParseKeys(c.data, c.alg)
		if c.keys == 0 && !errors.Is(err, ErrKey) || c.keys > 0 && (err != nil || len(s.keys) != c.keys) {
			t.Errorf("%s: %v, %v, want %d keys", name, s, err, c.keys)
		}
	}
}

// RFC 7517: what fits is used, other keys of the set are left out; alg, use and key_ops are obeyed.
func TestParseJWKSet(t *testing.T) {
	ec := func(more fields) fields {
		return jwk(must(NewPublicKey("", ES256, &ecKey().PublicKey)), more)
	}
	other := func(kid string) fields {
		return jwk(must(NewPublicKey("", ES256, &otherKey().PublicKey)), fields{"kid": kid})
	}
	rs := jwk(must(NewPublicKey("", RS256, &rsaKey().PublicKey)), nil)
	y := ec(nil)["y"].(string)
	for name, c := range map[string]struct {
		set  any
		alg  Algorithm
		keys int // zero: refused
	}{
		"plain":                {[]any{ec(nil)}, ES256, 1},
		"all said":             {[]any{ec(fields{"use": "sig", "key_ops": []string{"verify"}, "kid": "1"})}, ES256, 1},
		"alg said":             {[]any{ec(fields{"alg": "ES256"})}, ES256, 1},
		"RSA beside EC":        {[]any{ec(nil), rs}, RS256, 1},
		"Ed25519":              {[]any{jwk(must(NewPublicKey("", EdDSA, edKey().Public())), nil)}, EdDSA, 1},
		"other alg":            {[]any{ec(fields{"alg": "ES384"})}, ES256, 0},
		"alg in another case":  {[]any{ec(fields{"alg": "es256"})}, ES256, 0},
		"use enc":              {[]any{ec(fields{"use": "enc"})}, ES256, 0},
		"use number":           {[]any{ec(fields{"use": 1})}, ES256, 0},
		"key_ops sign":         {[]any{ec(fields{"key_ops": []string{"sign"}})}, ES256, 0},
		"key_ops empty":        {[]any{ec(fields{"key_ops": []string{}})}, ES256, 0},
		"kid of 256 bytes":     {[]any{ec(fields{"kid": strings.Repeat("k", 256)})}, ES256, 1},
		"kid of 257 bytes":     {[]any{ec(fields{"kid": strings.Repeat("k", 257)})}, ES256, 0},
		"crv P-384":            {[]any{ec(fields{"crv": "P-384"})}, ES256, 0},
		"off the curve":        {[]any{ec(fields{"x": y})}, ES256, 0},
		"x of 31 bytes":        {[]any{ec(fields{"x": b64(strings.Repeat("x", 31))})}, ES256, 0},
		"padded":               {[]any{ec(fields{"y": y + "="})}, ES256, 0},
		"no y":                 {[]any{ec(fields{"y": nil})}, ES256, 0},
		"RSA e 1":              {[]any{fields{"kty": "RSA", "n": rs["n"], "e": "AQ"}}, RS256, 0},
		"RSA e of 5 bytes":     {[]any{fields{"kty": "RSA", "n": rs["n"], "e": "AQAAAAM"}}, RS256, 0},
		"RSA 1024":             {[]any{fields{"kty": "RSA", "n": b64(string(modulus(1024).Bytes())), "e": "AQAB"}}, RS256, 0},
		"private":              {[]any{rs, ec(fields{"d": y})}, RS256, 0},
		"secret":               {[]any{fields{"kty": "oct", "k": b64(secret)}}, HS256, 0},
		"HS256 with an EC key": {[]any{ec(nil)}, HS256, 0},
		"one key twice":        {[]any{ec(fields{"kid": "1"}), ec(fields{"kid": "1"})}, ES256, 1},
		"one key, two names":   {[]any{ec(fields{"kid": "1"}), ec(fields{"kid": "2"})}, ES256, 2},
		"two keys, one name":   {[]any{ec(fields{"kid": "1"}), other("1"), ec(fields{"kid": "1"})}, ES256, 1},
		"and another name":     {[]any{other("1"), ec(fields{"kid": "1"}), ec(fields{"kid": "2"})}, ES256, 2},
		"others' key twice":    {[]any{other("1"), ec(fields{"kid": "2"}), other("1")}, ES256, 2},
		"no set":               {"x", ES256, 0},
		"no keys":              {[]any{}, ES256, 0},
		"no key":               {[]any{1}, ES256, 0},
	} {
		s, err := ParseKeys(must(json.Marshal(fields{"keys": c.set})), c.alg)
		if c.keys == 0 && !errors.Is(err, ErrKey) || c.keys > 0 && (err != nil || len(s.keys) != c.keys) {
			t.Errorf("%s: %v, %v, want %d keys", name, s, err, c.keys)
		}
	}
	for _, data := range []string{`{}`, `{"keys":[],"keys":[]}`, `{"Keys":[]}`, `{`, `{"keys":null}`} {
		if _, err := ParseKeys([]byte(data), ES256); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, want ErrKey", data, err)
		}
	}
}

// "Different keys with one id count as one Key, under any of which a token that names the id is good": of 8, no more, and
// no stranger's. What a fetch brings again stays the same Key, so that verified tokens stay verified.
func TestKeysOfOneName(t *testing.T) {
	ec, other := must(NewPublicKey("es", ES256, &ecKey().PublicKey)), must(NewPublicKey("es", ES256, &otherKey().PublicKey))
	byOther := signedByOther().(*forgery)
	byStranger := game()
	stranger := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	byStranger.sign = func(s string) []byte { return signES256(stranger, s) }
	seven := make([]Key, 7)
	for i := range seven {
		seven[i] = must(NewPublicKey("es", ES256, &must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).PublicKey))
	}
	for name, c := range map[string]struct {
		set           []Key
		mine, another error
	}{
		"one":               {[]Key{ec}, nil, ErrSignature},
		"both":              {[]Key{ec, other, ec}, nil, nil},
		"the other one":     {[]Key{other, ec}, nil, nil},
		"the eighth counts": {append(slices.Clone(seven), ec, other), nil, ErrSignature},
	} {
		p := profiles()[0]
		set := must(ParseKeys(marshalJWKSet(c.set...), ES256))
		p.Keys = set
		v := must(NewVerifier(p))
		for signer, f := range map[*forgery]error{game(): c.mine, byOther: c.another, byStranger: ErrSignature} {
			if _, err := verify(t, v, signer.String()); !errors.Is(err, f) {
				t.Errorf("%s: %v, want %v", name, err, f)
			}
		}
		again := must(ParseKeys(marshalJWKSet(c.set...), ES256))
		if again.keep(set); !again.find("es").same(set.find("es")) {
			t.Errorf("%s: another key after the next fetch", name)
		}
		if again = must(ParseKeys(marshalJWKSet(ec, seven[0]), ES256)); !again.find("es").equal(must(ParseKeys(marshalJWKSet(ec, seven[0]), ES256)).find("es")) {
			t.Errorf("%s: not equal to itself", name)
		}
		if again.keep(set); again.find("es").same(set.find("es")) {
			t.Errorf("%s: others are taken for the keys that were there", name)
		}
	}
}

// jwk is a public key as a JWK without kid, alg and use, but with more.
func jwk(k Key, more fields) fields {
	out := fields{}
	for name, value := range members(k.material().keys[0]) {
		out[name] = value
	}
	maps.Copy(out, more)
	return out
}

// RFC 7638 3.1: the example key and its thumbprint.
func TestThumbprint(t *testing.T) {
	const n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB" +
		"ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9" +
		"c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44" +
		"-csFCur-kEgU8awapJzKnqDKgw"
	set, err := ParseKeys([]byte(`{"keys":[{"kty":"RSA","n":"`+n+`","e":"AQAB","alg":"RS256"}]}`), RS256)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := set.only.ID(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A key is a copy: what its maker does afterwards to the original does not change it.
func TestKeyIsCopied(t *testing.T) {
	mine := []byte(secret)
	k := must(NewSecretKey("hs", mine))
	pub := slices.Clone(edKey().Public().(ed25519.PublicKey))
	e := must(NewPublicKey("ed", EdDSA, pub))
	clear(mine)
	clear(pub)
	if err := k.verify([]byte("x"), signHS256([]byte(secret), "x")); err != nil {
		t.Errorf("HS256: %v", err)
	}
	if err := e.verify([]byte("x"), ed25519.Sign(edKey(), []byte("x"))); err != nil {
		t.Errorf("EdDSA: %v", err)
	}
}
