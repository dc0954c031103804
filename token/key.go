package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
	"slices"
)

// An Algorithm is a JWS signature algorithm (RFC 7518 3.1, RFC 8037 3.1), spelled as in a token's
// header.
type Algorithm string

const (
	RS256 Algorithm = "RS256" // RSA PKCS #1 v1.5, SHA-256
	ES256 Algorithm = "ES256" // ECDSA on P-256, SHA-256
	EdDSA Algorithm = "EdDSA" // Ed25519
	HS256 Algorithm = "HS256" // HMAC, SHA-256: a verifier can also sign
)

// A Key verifies the tokens of one issuer under one algorithm (RFC 8725 3.1). It may stand for
// several keys that the issuer publishes under one name: a token is good under any of them. The key
// itself, which may be a secret, is out of reach of fmt, log/slog and encoders, and Keys do not
// compare with ==. A Key never changes.
type Key struct {
	id       string
	alg      Algorithm
	material func() *material
}

// material is the key as golang-jwt takes it: *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey
// or []byte. There are 1 to maxOneName.
type material struct{ keys []any }

// ID returns the key's name, which a token's kid must equal.
func (k Key) ID() string { return k.id }

// Algorithm returns the only algorithm that the key is for.
func (k Key) Algorithm() Algorithm { return k.alg }

// same reports whether k and o come from one call of NewPublicKey or NewSecretKey.
func (k Key) same(o Key) bool {
	return k.material != nil && o.material != nil && k.material() == o.material()
}

// equal reports whether k and o are the same public keys with one id and algorithm.
func (k Key) equal(o Key) bool {
	return k.id == o.id && k.alg == o.alg && slices.EqualFunc(k.material().keys, o.material().keys, equalKeys)
}

// equalKeys reports whether a and b are one public key.
func equalKeys(a, b any) bool {
	p, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && p.Equal(b)
}

// and returns k with the key of o, which has the same id and algorithm, as another one.
func (k Key) and(o Key) Key {
	keys, another := k.material().keys, o.material().keys[0]
	known := slices.ContainsFunc(keys, func(key any) bool { return equalKeys(key, another) })
	if known || len(keys) == maxOneName {
		return k
	}
	m := &material{append(slices.Clip(keys), another)}
	return Key{k.id, k.alg, func() *material { return m }}
}

func newKey(id string, alg Algorithm, key any) (Key, error) {
	if len(id) > maxKeyID {
		return Key{}, withDetail(ErrKey, "its name is longer than 256 bytes")
	}
	m := &material{[]any{key}}
	return Key{id, alg, func() *material { return m }}, nil
}

// NewPublicKey returns a key for RS256 (*rsa.PublicKey, 2048 to 4096 bits), ES256 (*ecdsa.PublicKey
// on P-256) or EdDSA (ed25519.PublicKey). It keeps a copy of pub. An empty id stands for the key's
// RFC 7638 thumbprint. Errors match ErrKey.
func NewPublicKey(id string, alg Algorithm, pub crypto.PublicKey) (Key, error) {
	var err error
	switch p := pub.(type) {
	case *rsa.PublicKey:
		pub, err = copyRSA(alg, p)
	case *ecdsa.PublicKey:
		pub, err = copyECDSA(alg, p)
	case ed25519.PublicKey:
		pub, err = copyEd25519(alg, p)
	default:
		err = withDetail(ErrKey, "not an RSA, ECDSA or Ed25519 public key")
	}
	if err != nil {
		return Key{}, err
	}
	if id == "" {
		id = thumbprint(pub)
	}
	return newKey(id, alg, pub)
}

var errWrongAlgorithm = withDetail(ErrKey, "its type does not fit the algorithm")

func copyRSA(alg Algorithm, p *rsa.PublicKey) (*rsa.PublicKey, error) {
	switch {
	case alg != RS256:
		return nil, errWrongAlgorithm
	case p == nil || p.N == nil || p.N.BitLen() < minRSABits || p.N.BitLen() > maxRSABits || p.N.Bit(0) == 0:
		return nil, withDetail(ErrKey, "an RSA modulus is an odd number of 2048 to 4096 bits")
	case p.E < 3 || p.E%2 == 0 || p.E > 1<<31-1:
		return nil, withDetail(ErrKey, "an RSA exponent is an odd number of 2 to 31 bits")
	}
	return &rsa.PublicKey{N: new(big.Int).Set(p.N), E: p.E}, nil
}

func copyECDSA(alg Algorithm, p *ecdsa.PublicKey) (*ecdsa.PublicKey, error) {
	if alg != ES256 {
		return nil, errWrongAlgorithm
	}
	//lint:ignore SA1019 a point that was never set would make Bytes panic
	if p == nil || p.Curve != elliptic.P256() || p.X == nil || p.Y == nil {
		return nil, withDetail(ErrKey, "an ES256 key is on the curve P-256")
	}
	point, err := p.Bytes()
	if err != nil {
		return nil, withDetail(ErrKey, "the point is not on the curve")
	}
	return parseP256(point)
}

// parseP256 reads an uncompressed point and checks that it is on the curve (RFC 8725 3.4).
func parseP256(point []byte) (*ecdsa.PublicKey, error) {
	p, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, withDetail(ErrKey, "the point is not on the curve")
	}
	return p, nil
}

func copyEd25519(alg Algorithm, p ed25519.PublicKey) (ed25519.PublicKey, error) {
	if alg != EdDSA {
		return nil, errWrongAlgorithm
	}
	if len(p) != ed25519.PublicKeySize {
		return nil, withDetail(ErrKey, "an Ed25519 key has 32 bytes")
	}
	return slices.Clone(p), nil
}

// wellKnown are public secrets: Nakama's defaults, and the beginning of a PEM file, which is a
// public key in place of a secret.
var wellKnown = [][]byte{
	[]byte("defaultencryptionkey"), []byte("defaultrefreshencryptionkey"),
	[]byte("defaultkey"), []byte("defaultsigningkey"), []byte("-----BEGIN "),
}

// NewSecretKey returns a key for HS256. The secret has at least 32 bytes, which should be random
// (RFC 8725 3.5); one that contains a default of Nakama's is refused. It keeps a copy. Errors match
// ErrKey.
func NewSecretKey(id string, secret []byte) (Key, error) {
	for _, known := range wellKnown {
		if bytes.Contains(secret, known) {
			return Key{}, withDetail(ErrKey, "the secret is public knowledge")
		}
	}
	if len(secret) < minSecret {
		return Key{}, withDetail(ErrKey, "an HS256 secret has at least 32 bytes")
	}
	return newKey(id, HS256, slices.Clone(secret))
}
