package resume

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"

	"github.com/sallyport/sallyport/internal/wire"
)

// proofField is how long the proof field is that ends a HELLO with a ticket:
// type, length and value.
const proofField = 1 + 2 + wire.ProofLen

// Key derives the resumption key, whose possession a client proves, from the secret that came with
// the ticket in WELCOME or RENEWED:
//
//	HKDF-SHA256(secret, no salt, "sallyport v1 resume") → 32 bytes
//
// It fails only where crypto/hkdf refuses to work.
func Key(secret *[32]byte) (key [32]byte, err error) {
	b, err := hkdf.Key(sha256.New, secret[:], nil, "sallyport v1 resume", len(key))
	copy(key[:], b)
	clear(b)
	return key, err
}

// Prove is the client's part: body is a HELLO as wire.Hello writes it with any
// proof, and gets the right one. In binding mode none the exporter counts for
// nothing.
func Prove(key *[32]byte, binding byte, exporter *[32]byte, body []byte) {
	copy(body[len(body)-wire.ProofLen:], proof(key, binding, exporter, body))
}

// Proven reports, in constant time, whether body, a HELLO that wire.ParseHello has found to have a
// proof, has the right one. binding is the mode named in body, which the caller compares with the
// ticket's.
func Proven(key *[32]byte, binding byte, exporter *[32]byte, body []byte) bool {
	if len(body) < proofField {
		return false
	}
	return hmac.Equal(body[len(body)-wire.ProofLen:], proof(key, binding, exporter, body))
}

// proof is the value of the proof field at the end of body, a whole HELLO:
//
//	HMAC-SHA256(resumption key, exporter of the new connection ‖ body before the proof field)
//
// In binding mode none the exporter is empty. The present
// content of the field makes no difference.
func proof(key *[32]byte, binding byte, exporter *[32]byte, body []byte) []byte {
	mac := hmac.New(sha256.New, key[:])
	if binding == wire.BindingExporter {
		mac.Write(exporter[:])
	}
	mac.Write(body[:len(body)-proofField])
	return mac.Sum(nil)
}
