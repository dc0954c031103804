package handshake

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

// AcceptsKey reports whether a certificate's public key has a kind and size that both ends accept:
// ECDSA P-256, or RSA of 2048 bits and more. It is the only place with this rule.
func AcceptsKey(public crypto.PublicKey) bool {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSA
	}
	return false
}

// CheckCertificate returns an error if no handshake should present c at now. Its key must be one
// that AcceptsKey accepts and match the first certificate, which must not have expired. A key
// behind another crypto.Signer, such as that of a TPM or a key service, is accepted only if signers
// reports that the engine can use one. Errors match ErrConfig.
func CheckCertificate(c *tls.Certificate, now time.Time, signers bool) error {
	if err := CheckKey(c, signers); err != nil {
		return err
	}
	public, _ := publicKey(c.PrivateKey, signers)
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	switch {
	case err != nil:
		return unusable("the certificate cannot be read")
	case !public.Equal(leaf.PublicKey):
		return unusable("the private key is another certificate's")
	case now.After(leaf.NotAfter):
		return unusable("the certificate has expired on " + leaf.NotAfter.UTC().Format(time.DateTime) + " UTC")
	}
	return nil
}

// CheckKey is CheckCertificate without the checks that an engine does not need: that the key
// matches the certificate, and its expiry.
func CheckKey(c *tls.Certificate, signers bool) error {
	if len(c.Certificate) == 0 {
		return unusable("there is no certificate")
	}
	_, err := publicKey(c.PrivateKey, signers)
	return err
}

// comparableKey is the interface that the public keys of the standard library share.
type comparableKey interface{ Equal(crypto.PublicKey) bool }

// publicKey returns the public half of a private key that the engine can use.
func publicKey(private crypto.PrivateKey, signers bool) (comparableKey, error) {
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, unusable("the private key is missing, or nothing that can sign")
	}
	public, ok := signer.Public().(comparableKey)
	if !ok || !AcceptsKey(public) {
		return nil, unusable("the private key must be ECDSA P-256, or RSA of at least 2048 bits")
	}
	switch private.(type) {
	case *ecdsa.PrivateKey, *rsa.PrivateKey:
		return public, nil
	}
	if !signers {
		return nil, unusable("the private key is behind a crypto.Signer, which pion/dtls/v2 cannot use: build with -tags sallyport_pion3, or give an *ecdsa.PrivateKey or *rsa.PrivateKey")
	}
	return public, nil
}

func unusable(why string) error { return fmt.Errorf("%w: %s", ErrConfig, why) }
