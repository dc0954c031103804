package record

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
)

// Suite is the IANA number of a TLS cipher suite.
type Suite uint16

// The suites this package protects records with: forward secret and AEAD, nothing else.
const (
	ECDSAWithAES128 Suite = 0xc02b // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
	ECDSAWithAES256 Suite = 0xc02c // TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
	RSAWithAES128   Suite = 0xc02f // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
	RSAWithAES256   Suite = 0xc030 // TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
)

// String returns the IANA name of the suite.
func (s Suite) String() string {
	switch s {
	case ECDSAWithAES128:
		return "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
	case ECDSAWithAES256:
		return "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
	case RSAWithAES128:
		return "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
	case RSAWithAES256:
		return "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
	}
	return fmt.Sprintf("suite %#04x", uint16(s))
}

// RSA reports whether the server of this suite authenticates with an RSA key; otherwise it uses
// ECDSA.
func (s Suite) RSA() bool { return s == RSAWithAES128 || s == RSAWithAES256 }

// params returns the AES key length in bytes and the hash of the PRF.
func (s Suite) params() (keyLen int, prf func() hash.Hash, ok bool) {
	switch s {
	case ECDSAWithAES128, RSAWithAES128:
		return 16, sha256.New, true
	case ECDSAWithAES256, RSAWithAES256:
		return 32, sha512.New384, true
	}
	return 0, nil, false
}
