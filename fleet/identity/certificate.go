package identity

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
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

// Permits reports whether the policy lets the service with a SPIFFE id have a permission, as of now. It is for who has
// shown a certificate before, and looks at none.
func (s *Source) Permits(id string, p Permission) bool {
	service, err := spiffeid.FromString(id)
	policy := s.policy.Load()
	return err == nil && !policy.denied[service] && policy.grants[policy.role(service)].Has(p)
}
