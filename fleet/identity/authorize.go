package identity

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"github.com/sallyport/sallyport/audit"
)

// Authorize returns the peer that makes the request if it may do p. Otherwise the error is a
// Refusal, to be answered by http.StatusForbidden, and the audit has a deny. For a permitted
// request the caller records audit.Operate, once it knows the outcome. r must have come over
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

// Peer returns the peer at the other end of a TLS connection, as of now: for servers of protocols
// other than HTTP. Without roles, any role that may do something is accepted. The error is a
// Refusal; the audit has no line of it.
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

// Require returns a handler that passes requests of peers that may do p to next, and answers the
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
