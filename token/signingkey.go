package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
)

// A SigningKey is the private key of an Issuer, on P-256. It is out of reach of fmt, log/slog,
// encoders and ==; PEM is the one way to its bytes. The zero SigningKey is none.
type SigningKey struct{ key func() *ecdsa.PrivateKey }

// GenerateSigningKey returns a fresh key.
func GenerateSigningKey() (SigningKey, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return SigningKey{}, withDetail(ErrKey, "none could be generated")
	}
	return NewSigningKey(k)
}

// NewSigningKey takes k, which the caller must not change afterwards. Errors match ErrKey.
func NewSigningKey(k *ecdsa.PrivateKey) (SigningKey, error) {
	if k == nil {
		return SigningKey{}, withDetail(ErrKey, "it is empty")
	}
	if _, err := copyECDSA(ES256, &k.PublicKey); err != nil {
		return SigningKey{}, err
	}
	return SigningKey{func() *ecdsa.PrivateKey { return k }}, nil
}

// ParseSigningKey reads a key that PEM wrote, or OpenSSL: one block, PRIVATE KEY (PKCS #8) or EC
// PRIVATE KEY (SEC 1), not encrypted. Errors match ErrKey.
func ParseSigningKey(data []byte) (SigningKey, error) {
	block, rest := pem.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return SigningKey{}, withDetail(ErrKey, "not a single PEM block")
	}
	if block.Type == "EC PRIVATE KEY" {
		k, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return SigningKey{}, withDetail(ErrKey, "the PEM block cannot be read")
		}
		return NewSigningKey(k)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	k, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || block.Type != "PRIVATE KEY" {
		return SigningKey{}, withDetail(ErrKey, "the PEM block is not an ECDSA private key")
	}
	return NewSigningKey(k)
}

// PEM returns the key as a PKCS #8 block. Anyone who has it can mint tokens: keep the file at mode
// 0600.
func (k SigningKey) PEM() ([]byte, error) {
	if k.key == nil {
		return nil, withDetail(ErrKey, "it is empty")
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.key())
	if err != nil {
		return nil, withDetail(ErrKey, "it cannot be encoded")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
