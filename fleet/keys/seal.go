package keys

import (
	"crypto/ecdh"
	"crypto/hpke"

	"golang.org/x/crypto/cryptobyte"
)

// The suite of RFC 9180 7: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
var (
	kem  = hpke.DHKEM(ecdh.X25519())
	kdf  = hpke.HKDFSHA256()
	aead = hpke.AES256GCM()
)

// info is what a sealed ring is bound to: fleet, instance, announcement, epoch, revision, lease and
// the name of the recipient.
func (g grant) info(recipient string) ([]byte, error) {
	b := cryptobyte.NewBuilder([]byte("sallyport v1 fleet keys, ring\x00"))
	g.head(b)
	addText(b, []byte(recipient))
	return b.Bytes()
}

// seal puts the content of a key file into g, for the holder of a public key alone.
func (g *grant) seal(public [32]byte, recipient string, file []byte) error {
	info, err := g.info(recipient)
	if err != nil {
		return err
	}
	key, err := kem.NewPublicKey(public[:])
	if err != nil {
		return errForm
	}
	g.sealed, err = hpke.Seal(key, kdf, aead, info, file)
	return err
}

// unseal returns the content of the key file in g, which the caller clears.
func (g grant) unseal(private hpke.PrivateKey, recipient string) ([]byte, error) {
	info, err := g.info(recipient)
	if err != nil {
		return nil, err
	}
	file, err := hpke.Open(private, kdf, aead, info, g.sealed)
	if err != nil {
		return nil, errSealed
	}
	return file, nil
}
