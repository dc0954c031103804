package token

import (
	"crypto/ecdsa"

	"github.com/golang-jwt/jwt/v5"
)

// methods are the supported algorithms. No other can be reached: no "none", no other hash, no PSS.
// golang-jwt only verifies signatures; it never sees a header or a claim.
var methods = map[Algorithm]jwt.SigningMethod{
	RS256: jwt.SigningMethodRS256,
	ES256: jwt.SigningMethodES256, // 64 bytes r ‖ s (RFC 7518 3.4); crypto/ecdsa holds 0 < r, s < n
	EdDSA: jwt.SigningMethodEdDSA,
	HS256: jwt.SigningMethodHS256, // compares in constant time
}

func (a Algorithm) known() bool { return methods[a] != nil }

// verify returns an error unless signature over signed was made with k, under k's algorithm.
func (k Key) verify(signed, signature []byte) error {
	text := string(signed)
	for _, key := range k.material().keys {
		if methods[k.alg].Verify(text, signature, key) == nil {
			return nil
		}
	}
	return failed(CheckSignature, "")
}

// sign makes an ES256 signature.
func sign(signed string, key *ecdsa.PrivateKey) ([]byte, error) {
	return jwt.SigningMethodES256.Sign(signed, key)
}
