package identity

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"github.com/sallyport/sallyport/audit"
)

// Authorize reports who makes the request, and that it may do p. The error is a Refusal, to be
// answered by http.StatusForbidden; the audit has a line of it then, a deny. For a call that may be
// made the caller records audit.Operate, when it knows what has become of it. r must have come over
// ServerTLS or Listen.
func (s *Source) Authorize(r *http.Request, p Permission) (Peer, error) {
	from := network(r.RemoteAddr)
	peer, refusal := s.peer(proved(r.TLS), nil)
	if refusal == 0 && !peer.Permissions.Has(p) {
		refusal = NotPermitted
	}
	if refusal != 0 {
		s.refuse(peer, refusal, from, p.String())
		return peer, refusal
	}
	return peer, nil
}

// Peer reports who is at the other end of a TLS connection, as of now: for servers of other
// protocols than HTTP. Without roles, each that may do something is welcome. The error is a Refusal;
// the audit has no line of it.
func (s *Source) Peer(state tls.ConnectionState, roles ...Role) (Peer, error) {
	return s.Owner(proved(&state), roles...)
}

// proved returns the certificates whose key the peer has shown to have: those of a complete handshake.
func proved(state *tls.ConnectionState) []*x509.Certificate {
	if state == nil || !state.HandshakeComplete {
		return nil
	}
	return state.PeerCertificates
}

// Require returns a handler that lets those requests through to next that may do p, and answers the
// others with 403. Each is a line in the audit.
func (s *Source) Require(p Permission, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := s.Authorize(r, p)
		if err != nil {
			http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
		s.config.Audit.Record(audit.Event{Decision: audit.Operate, Actor: peer.ID, Operation: p.String(), Prefix: network(r.RemoteAddr)})
	})
}
