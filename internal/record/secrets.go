package record

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
)

// Secrets is the result of a finished handshake, from which all keys of the connection follow. fmt,
// log/slog and encoding/json cannot read it; callers Wipe it once New and Export have been called.
type Secrets struct {
	Suite        Suite
	Master       [48]byte // extended master secret (RFC 7627)
	ClientRandom [32]byte
	ServerRandom [32]byte

	// Spent are the explicit nonces that the handshake used under this end's write key; the two
	// ends have different ones. New and SetConnectionID refuse to repeat them.
	Spent []uint64
}

// reserved are the labels that TLS 1.2 itself uses with the master secret (RFC 5705 4).
var reserved = []string{"client finished", "server finished", "master secret", "key expansion"}

// Export returns n bytes of keying material for label, without a context (RFC 5705 4, where no
// context and an empty one differ). Only the two ends can compute it. It panics on a label that TLS
// itself uses and on a suite that New refuses, because a binding to nothing must not go unnoticed.
func (s *Secrets) Export(label string, n int) []byte {
	_, h, ok := s.Suite.params()
	if !ok || slices.Contains(reserved, label) {
		panic("record: export with an unknown suite or a reserved label")
	}
	out := make([]byte, n)
	prf(h, out, s.Master[:], label, s.ClientRandom[:], s.ServerRandom[:])
	return out
}

// Wipe overwrites the secrets. Keys derived from them live on in their Conn.
func (s *Secrets) Wipe() { *s = Secrets{} }

// Format keeps the secrets out of everything that fmt prints.
func (Secrets) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "record.Secrets{…}") }

// MarshalText refuses to encode the secrets, for encoding/json and log/slog.
func (Secrets) MarshalText() ([]byte, error) { return nil, errors.New("record: secrets do not travel") }

// prf fills out with PRF(secret, label, a + b) of RFC 5246 5:
//
//	A(0) = label + a + b, A(i) = HMAC(secret, A(i-1))
//	out  = HMAC(secret, A(1) + A(0)) + HMAC(secret, A(2) + A(0)) + …
func prf(h func() hash.Hash, out, secret []byte, label string, a, b []byte) {
	seed := slices.Concat([]byte(label), a, b)
	mac := hmac.New(h, secret)
	sum := func(parts ...[]byte) []byte {
		mac.Reset()
		for _, p := range parts {
			mac.Write(p)
		}
		return mac.Sum(nil)
	}
	for ai := sum(seed); len(out) > 0; ai = sum(ai) {
		out = out[copy(out, sum(ai, seed)):]
	}
}
