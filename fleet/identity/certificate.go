package identity

import (
	"crypto/tls"
	"crypto/x509"
)

// Certificate returns the certificate in use, with its chain and key, for those who sign something
// else than a TLS handshake. It is shared: nobody may change it.
func (s *Source) Certificate() *tls.Certificate { return &s.material.Load().cert }

// Owner reports whose certificate this is, with those of intermediate authorities behind it, as of
// now: for signatures of another kind than a TLS handshake's. It proves nothing about whoever has
// sent the certificate: the caller has to verify a signature with its key. Without roles, each that
// may do something is welcome. The error is a Refusal; the audit has no line of it.
func (s *Source) Owner(chain []*x509.Certificate, roles ...Role) (Peer, error) {
	p, refusal := s.peer(chain, roles)
	if refusal != 0 {
		return p, refusal
	}
	return p, nil
}
