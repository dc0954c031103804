package engine

import (
	"crypto/tls"
	"slices"
	"testing"
)

// "Both ends sign with SHA-256 and a key of ECDSA P-256 (0403 in signature_algorithms) or RSA (PKCS
// #1 v1.5, 0401), and take no other signature" PROTOCOL.md 9.1
func TestSchemes(t *testing.T) {
	if got, want := Schemes(), []tls.SignatureScheme{0x0403, 0x0401}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
