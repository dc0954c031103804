package audit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// pseudonymizer holds its key out of reach of fmt, slog and encoders.
type pseudonymizer func(label, value string) [sha256.Size]byte

func newPseudonymizer(key []byte) pseudonymizer {
	key = append([]byte(nil), key...)
	return func(label, value string) (sum [sha256.Size]byte) {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(label + "\x00" + value))
		m.Sum(sum[:0])
		return sum
	}
}

// pseudonym is empty for an empty value.
func (p pseudonymizer) pseudonym(label, value string) string {
	if value == "" {
		return ""
	}
	sum := p(label, value)
	return hex.EncodeToString(sum[:pseudonymLen])
}

// randomKey is a key for as long as the process lives.
func randomKey() []byte {
	key := make([]byte, minKey)
	rand.Read(key) // never fails
	return key
}
