package revocation

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
)

// PublisherID names a publisher on the wire: the first 8 bytes of SHA-256 of its public key.
type PublisherID [8]byte

// String returns the id as 16 hexadecimal digits.
func (id PublisherID) String() string { return hex.EncodeToString(id[:]) }

// IDOf returns the id of the publisher with this public key.
func IDOf(key ed25519.PublicKey) PublisherID {
	sum := sha256.Sum256(key)
	return PublisherID(sum[:8])
}

// SigningKey is a publisher's secret, an Ed25519 key. fmt, log/slog, encoders and == cannot reach
// it. The zero SigningKey holds none. Its methods are safe for concurrent use.
type SigningKey struct{ signer func() crypto.Signer }

// GenerateSigningKey returns a new key.
func GenerateSigningKey() SigningKey {
	_, secret, _ := ed25519.GenerateKey(rand.Reader) // crypto/rand does not fail
	return SigningKey{func() crypto.Signer { return secret }}
}

// NewSigningKey returns the key that s holds, such as one in a key management service. s is called
// for each signature, one at a time, and its public key must be an ed25519.PublicKey. Errors match
// ErrConfig.
func NewSigningKey(s crypto.Signer) (SigningKey, error) {
	if s == nil {
		return SigningKey{}, badConfig("the signing key is nil")
	}
	if k, ok := s.Public().(ed25519.PublicKey); !ok || len(k) != ed25519.PublicKeySize {
		return SigningKey{}, badConfig("the signing key is no Ed25519 key")
	}
	return SigningKey{func() crypto.Signer { return s }}, nil
}

// ParseSigningKey reads a key as PEM writes it, or OpenSSL: PKCS #8 (RFC 8410). Errors match
// ErrConfig and quote nothing of the key.
func ParseSigningKey(b []byte) (SigningKey, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" {
		return SigningKey{}, badConfig(`the signing key is no PEM block "PRIVATE KEY"`)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return SigningKey{}, badConfig("the signing key is not in PKCS #8")
	}
	s, ok := k.(crypto.Signer)
	if !ok {
		return SigningKey{}, badConfig("the signing key cannot sign")
	}
	return NewSigningKey(s)
}

// PEM returns the key in PKCS #8. Whoever has it can revoke every player of the fleet: keep the
// file at mode 0600. A key in a key management service cannot be exported; the error then matches
// ErrConfig.
func (k SigningKey) PEM() ([]byte, error) {
	if k.signer == nil {
		return nil, badConfig("there is no signing key")
	}
	secret, ok := k.signer().(ed25519.PrivateKey)
	if !ok {
		return nil, badConfig("the signing key does not come out of its signer")
	}
	b, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return nil, badConfig("the signing key has a wrong size")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}), nil
}

// Public returns the public key, nil for the zero SigningKey.
func (k SigningKey) Public() ed25519.PublicKey {
	if k.signer == nil {
		return nil
	}
	return k.signer().Public().(ed25519.PublicKey)
}

// sign returns the signature of message.
func (k SigningKey) sign(message []byte) ([]byte, error) {
	return k.signer().Sign(rand.Reader, message, crypto.Hash(0))
}
