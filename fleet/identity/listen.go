package identity

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
	"weak"
)

// Listen returns a listener of TLS connections on l, for http.Server.Serve: those of ServerTLS, which
// end as the package comment says. Close closes l. Set ReadHeaderTimeout of the http.Server: it
// bounds the handshake, too.
func (s *Source) Listen(l net.Listener, roles ...Role) net.Listener {
	return &listener{Listener: l, source: s, roles: roles}
}

type listener struct {
	net.Listener
	source *Source
	roles  []Role
}

// Accept implements net.Listener. The connection is a *tls.Conn, whose handshake is still to come.
func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := l.source.track(nc)
	return tls.Server(c, l.source.serverTLS(c, l.roles)), nil
}

// Transport returns what an http.Client needs to call servers of these roles. Its connections end as
// the package comment says; a request then makes a new one.
func (s *Source) Transport(roles ...Role) *http.Transport {
	t := &http.Transport{
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return s.dial(ctx, network, address, roles)
		},
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: time.Minute,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transports = append(s.transports, weak.Make(t))
	return t
}

// freshen has each Transport make new connections, with the new certificate, long before the old one
// expires and cuts a request off.
func (s *Source) freshen() {
	s.mu.Lock()
	s.transports = slices.DeleteFunc(s.transports, func(t weak.Pointer[http.Transport]) bool { return t.Value() == nil })
	transports := slices.Clone(s.transports)
	s.mu.Unlock()
	for _, t := range transports {
		if t := t.Value(); t != nil {
			t.CloseIdleConnections()
		}
	}
}

func (s *Source) dial(ctx context.Context, network, address string, roles []Role) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := s.track(nc)
	t := tls.Client(c, s.clientTLS(c, roles))
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close() //nolint:errcheck // the error above says more
		return nil, err
	}
	return t, nil
}

// Dialer makes the connections of one NATS client: of one nats.Conn, which has one at a time.
//
//	d := source.Dialer(identity.Broker)
//	nats.Connect(url, nats.SetCustomDialer(d), nats.Secure(d.TLS()), nats.MaxReconnects(-1))
type Dialer struct {
	source  *Source
	roles   []Role
	current atomic.Pointer[conn]
}

// Dialer returns a Dialer to servers of these roles.
func (s *Source) Dialer(roles ...Role) *Dialer {
	return &Dialer{source: s, roles: append([]Role{}, roles...)} // not nil, which would let every role in
}

// Dial implements nats.CustomDialer. The connection is not yet under TLS: the client does that
// with TLS.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	nc, err := net.DialTimeout(network, address, handshakeTime)
	if err != nil {
		return nil, err
	}
	c := d.source.track(nc)
	d.current.Store(c)
	return c, nil
}

// conn returns the connection that Dial has made last.
func (d *Dialer) conn() net.Conn {
	if c := d.current.Load(); c != nil {
		return c
	}
	return nil
}

// TLS returns the configuration for the connections that Dial makes, and for no others.
func (d *Dialer) TLS() *tls.Config {
	c := d.source.clientTLS(nil, d.roles)
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return d.source.own(d.conn()), nil
	}
	c.VerifyConnection = func(cs tls.ConnectionState) error { return d.source.verify(d.conn(), cs, d.roles) }
	return c
}
