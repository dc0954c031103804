package identity

import (
	"crypto/tls"
	"crypto/x509"
)

// Certificate returns the certificate in use, with its chain and key, for signatures other than
// those of TLS handshakes. It is shared and must not be changed.
func (s *Source) Certificate() *tls.Certificate { return &s.material.Load().cert }

// Owner returns the peer to whom a certificate belongs, as of now; chain has the certificate and
// then those of intermediate authorities. It is for signatures other than those of TLS handshakes,
// and proves nothing about the sender of the certificate: the caller has to verify a signature with
// its key. Without roles, any role that may do something is accepted. The error is a Refusal; the
// audit has no line of it.
func (s *Source) Owner(chain []*x509.Certificate, roles ...Role) (Peer, error) {
	p, refusal := s.peer(chain, roles)
	if refusal != 0 {
		return p, refusal
	}
	return p, nil
}
