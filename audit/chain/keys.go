package chain

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/internal/auditchain"
)

// ErrKey is returned for keys that cannot be used. The text after the colon says more.
var ErrKey = errors.New("chain: key refused")

// GenerateKey returns a fresh key that signs heads as a PEM block, PRIVATE KEY (PKCS #8), and its
// public key, PUBLIC KEY. Whoever has the first can write any history: keep it at mode 0600, on the
// machine that writes the lines. Keep the second elsewhere.
func GenerateKey() (private, public []byte, err error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: none could be generated", ErrKey)
	}
	defer clear(key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: it cannot be encoded", ErrKey)
	}
	defer clear(der)
	private = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if der, err = x509.MarshalPKIXPublicKey(pub); err != nil {
		return nil, nil, fmt.Errorf("%w: it cannot be encoded", ErrKey)
	}
	return private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// ParseSigner reads a key that GenerateKey or OpenSSL has made: one PEM block with an Ed25519 key,
// not encrypted. Errors match ErrKey.
func ParseSigner(data []byte) (crypto.Signer, error) {
	blocks, err := decode(data)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(blocks[0].Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if len(blocks) > 1 || blocks[0].Type != "PRIVATE KEY" || err != nil || !ok {
		return nil, fmt.Errorf("%w: not a single PEM block PRIVATE KEY with an Ed25519 key", ErrKey)
	}
	return key, nil
}

// ParsePublicKeys reads one or more PEM blocks PUBLIC KEY with Ed25519 keys, those of several
// servers or of different times. A private key is refused, since it does not belong where lines are
// verified. Errors match ErrKey.
func ParsePublicKeys(data []byte) ([]ed25519.PublicKey, error) {
	blocks, err := decode(data)
	if err != nil {
		return nil, err
	}
	var keys []ed25519.PublicKey
	for _, b := range blocks {
		if b.Type == "PRIVATE KEY" {
			return nil, fmt.Errorf("%w: it is a private key: verify with the public one, and keep this where the lines are written", ErrKey)
		}
		parsed, err := x509.ParsePKIXPublicKey(b.Bytes)
		key, ok := parsed.(ed25519.PublicKey)
		if b.Type != "PUBLIC KEY" || err != nil || !ok {
			return nil, fmt.Errorf("%w: PEM block %d is not a PUBLIC KEY of Ed25519", ErrKey, len(keys)+1)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// KeyID returns the name that heads have for a key: 16 hex digits.
func KeyID(key ed25519.PublicKey) string { return auditchain.KeyID(key) }

// decode returns the PEM blocks of data, at least one.
func decode(data []byte) (blocks []*pem.Block, err error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		blocks = append(blocks, block)
	}
	if blocks == nil {
		return nil, fmt.Errorf("%w: not PEM", ErrKey)
	}
	return blocks, nil
}
