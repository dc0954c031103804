package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/fleet/identity"
)

// voice signs messages and judges those of others.
type voice interface {
	// name returns the SPIFFE id of the service.
	name() string
	sign(k kind, body []byte) ([]byte, error)
	// open returns the SPIFFE id that has signed an envelope of this kind, once chain, role and
	// signature are good, and its body, which is part of b.
	open(k kind, b []byte) (name string, body []byte, err error)
	// permits reports whether open would still take what the service with that SPIFFE id signs, as far as the policy
	// decides.
	permits(name string) bool
}

// spiffe is the voice of a service with an X.509-SVID.
type spiffe struct {
	source *identity.Source
	peer   identity.Permission // that whoever is at the other end must have
}

func (s spiffe) name() string { return s.source.Status().ID }

func (s spiffe) permits(name string) bool { return s.source.Permits(name, s.peer) }

// signed returns the bytes that a signature for a purpose covers. It has the form of RFC 8446 4.4.3,
// so that no signature of TLS is one of ours or the other way round.
func signed(k kind, body []byte) []byte {
	b := []byte(strings.Repeat(" ", 64))
	b = append(b, k.label()...)
	return append(append(b, 0), body...)
}

func (s spiffe) sign(k kind, body []byte) ([]byte, error) {
	c := s.source.Certificate()
	sig, err := signBy(c.PrivateKey, signed(k, body))
	if err != nil {
		return nil, err
	}
	return envelope{kind: k, chain: c.Certificate, body: body, signature: sig}.append(nil)
}

// errKeyType is why a certificate's key can neither sign nor verify here.
var errKeyType = errors.New("the key of the certificate is not ECDSA on P-256, RSA of 2,048 bits or more, or Ed25519")

// algorithm returns the one algorithm of a public key.
func algorithm(key crypto.PublicKey) (x509.SignatureAlgorithm, error) {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return x509.ECDSAWithSHA256, nil
		}
	case *rsa.PublicKey:
		if key.Size() >= 256 {
			return x509.SHA256WithRSAPSS, nil
		}
	case ed25519.PublicKey:
		return x509.PureEd25519, nil
	}
	return 0, errKeyType
}

func signBy(private crypto.PrivateKey, message []byte) ([]byte, error) {
	key, ok := private.(crypto.Signer)
	if !ok {
		return nil, errKeyType
	}
	alg, err := algorithm(key.Public())
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(message)
	switch alg {
	case x509.PureEd25519:
		return key.Sign(rand.Reader, message, crypto.Hash(0))
	case x509.SHA256WithRSAPSS:
		return key.Sign(rand.Reader, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	default:
		return key.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
}

func (s spiffe) open(k kind, b []byte) (name string, body []byte, err error) {
	e, err := parseEnvelope(b)
	if err != nil || e.kind != k || len(e.chain) == 0 {
		return "", nil, errForm
	}
	var chain []*x509.Certificate
	for _, der := range e.chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return "", nil, errForm
		}
		chain = append(chain, c)
	}
	peer, err := s.source.Owner(chain)
	if err != nil {
		return "", nil, fmt.Errorf("its certificate: %w", err)
	}
	if !peer.Permissions.Has(s.peer) {
		return "", nil, fmt.Errorf("%s: %w: %v", peer.ID, identity.NotPermitted, s.peer)
	}
	alg, err := algorithm(chain[0].PublicKey)
	if err != nil {
		return "", nil, err
	}
	if chain[0].CheckSignature(alg, signed(k, e.body), e.signature) != nil {
		return "", nil, errSignature
	}
	return peer.ID, e.body, nil
}
