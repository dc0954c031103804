package identity

import (
	"crypto/tls"
	"net"
	"net/netip"
)

// ServerTLS returns the configuration of a server: TLS 1.3, and only peers of these roles; without
// roles, of any that may do something. It follows each change of certificate, bundle and Policy. Use
// Listen where you can: a connection of this configuration alone is not closed when its certificate
// expires.
func (s *Source) ServerTLS(roles ...Role) *tls.Config {
	c := s.serverTLS(nil, roles)
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		return s.serverTLS(hello.Conn, roles), nil
	}
	return c
}

// ClientTLS returns the configuration of a client: TLS 1.3, and only servers of these roles, of
// which at least one must be given. The name that was dialled does not matter. Use Transport or
// Dialer where you can: a connection of this configuration alone is not closed when its certificate
// expires.
func (s *Source) ClientTLS(roles ...Role) *tls.Config {
	return s.clientTLS(nil, roles)
}

// serverTLS is for the connection c, nil if it is not known.
func (s *Source) serverTLS(c net.Conn, roles []Role) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// A missing certificate gets as far as VerifyConnection, which tells the operator of it.
		ClientAuth: tls.RequestClientCert,
		// A resumed connection would outlive the certificate that it stands on.
		SessionTicketsDisabled: true,
		NextProtos:             []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.own(c), nil
		},
		VerifyConnection: func(cs tls.ConnectionState) error { return s.verify(c, cs, roles) },
	}
}

func (s *Source) clientTLS(c net.Conn, roles []Role) *tls.Config {
	if roles == nil {
		roles = []Role{}
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // VerifyConnection verifies: ids, not names
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return s.own(c), nil
		},
		VerifyConnection: func(cs tls.ConnectionState) error { return s.verify(c, cs, roles) },
	}
}

// own returns the certificate to show on c.
func (s *Source) own(c net.Conn) *tls.Certificate {
	m := s.material.Load()
	if c, ok := c.(*conn); ok {
		c.show(m.expires)
	}
	return &m.cert
}

// verify judges the peer at the other end of c.
func (s *Source) verify(c net.Conn, cs tls.ConnectionState, roles []Role) error {
	changes := s.changes.Load()
	p, refusal := s.peer(cs.PeerCertificates, roles)
	if refusal != 0 {
		var from netip.Prefix
		if c != nil {
			from = network(c.RemoteAddr().String())
		}
		s.refuse(p, refusal, from, "handshake")
		return refusal
	}
	if c, ok := c.(*conn); ok {
		c.watch(cs.PeerCertificates, roles, p.Expires)
		if s.changes.Load() != changes {
			c.review() // the review of that change has not seen c
		}
	}
	return nil
}
