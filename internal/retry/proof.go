package retry

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
)

// ReturnKey derives from a ticket's resumption key the key by which a client shows in RETURN that
// the ticket is its own:
//
//	HKDF-SHA256(resumption key, no salt, "sallyport v1 return") → 32 bytes
//
// It fails only where crypto/hkdf refuses to work.
func ReturnKey(resumption *[32]byte) (key [32]byte, err error) {
	b, err := hkdf.Key(sha256.New, resumption[:], nil, "sallyport v1 return", len(key))
	copy(key[:], b)
	clear(b)
	return key, err
}

// Prove returns the proof of a ticket: HMAC-SHA256(return key, token ‖ random of the ClientHello),
// its first 16 bytes. It is good for that token's address, time and handshake alone.
func Prove(key *[32]byte, token *Token, random *[RandomLen]byte) [ProofLen]byte {
	mac := hmac.New(sha256.New, key[:])
	mac.Write(token[:])
	mac.Write(random[:])
	return [ProofLen]byte(mac.Sum(nil))
}

// Proven reports, in constant time, whether a RETURN has the proof of its ticket.
func (r *Return) Proven(key *[32]byte, random *[RandomLen]byte) bool {
	want := Prove(key, r.Token, random)
	return hmac.Equal(want[:], r.Proof)
}
