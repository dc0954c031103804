package auditchain

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// What surrounds the signature at the end of a head: it is the last attribute of unmapped.chain,
// which is the last of unmapped, which is the line's last.
const (
	before = `,"signature":"`
	behind = `"}}}`
)

// domain keeps a signature of a head from being one of anything else.
const domain = "sallyport audit head v1\x00"

// KeyID names a key in 16 hex digits: the beginning of its SHA-256.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// Public returns the public key of a signer, which must be one of Ed25519.
func Public(signer crypto.Signer) (ed25519.PublicKey, bool) {
	if signer == nil {
		return nil, false
	}
	key, ok := signer.Public().(ed25519.PublicKey)
	return key, ok && len(key) == ed25519.PublicKeySize
}

// Sign returns line, which ends with the attribute unmapped.chain and has no line feed, with its
// signature.
func Sign(signer crypto.Signer, line []byte) ([]byte, error) {
	head, ok := bytes.CutSuffix(line, []byte(behind[1:]))
	if !ok {
		return nil, errors.New("the line does not end with its chain")
	}
	signature, err := signer.Sign(nil, message(head), crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("the head cannot be signed: %w", err)
	}
	if len(signature) != ed25519.SignatureSize {
		return nil, fmt.Errorf("the signer has made a signature of %d bytes", len(signature))
	}
	head = append(append([]byte(nil), head...), before...)
	return append(hex.AppendEncode(head, signature), behind...), nil
}

// Signed splits a head that Sign has returned into what is signed and the signature; false if it is
// none.
func Signed(line []byte) (head, signature []byte, ok bool) {
	line, ok = bytes.CutSuffix(line, []byte(behind))
	at := len(line) - hex.EncodedLen(ed25519.SignatureSize)
	if !ok || at < 0 {
		return nil, nil, false
	}
	head, ok = bytes.CutSuffix(line[:at], []byte(before))
	signature, err := hex.DecodeString(string(line[at:]))
	return head, signature, ok && err == nil && bytes.Equal(line[at:], hex.AppendEncode(nil, signature))
}

// Verify reports whether a head that Signed has split is signed by key.
func Verify(key ed25519.PublicKey, head, signature []byte) bool {
	return ed25519.Verify(key, message(head), signature)
}

func message(head []byte) []byte { return append([]byte(domain), head...) }
