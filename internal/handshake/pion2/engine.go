// Package pion2 is the handshake engine on github.com/pion/dtls/v2 v2.2.12, and the only package
// that imports it. That version is the last of v2 and has known weaknesses. The configuration here
// and the Conn of package handshake close each of them:
//
//	v2 names signature schemes that do not fit the key           engine.Schemes replaces its default
//	it has CBC suites                                            both ends offer four AES-GCM suites only
//	it does not compare the client's Finished                    extended master secret is required, so the keys
//	                                                             depend on the whole handshake; nothing is
//	                                                             believed before a record opens under them
//	it checks no name if ServerName is an IP address             engine.VerifyPeer checks it
//	it resumes sessions without cookie and client certificate    there is no SessionStore
//	it buffers without bounds before the cookie, and shares      handshake.Conn passes few ClientHellos and a
//	its buffers                                                  bounded number of bytes, in order
//	it goes by the first ClientHello, without the cookie,        handshake.Conn writes the first ClientHello
//	and by the client's order of suites                          itself, and chooses the suite
//	it reads plaintext records after the handshake               handshake.Conn has no engine by then
//	its GCM nonces are random                                    package record counts them; Conn.Result
//	                                                             looks at that of the Finished
//	it panics at ECDHE_PSK messages                              there is no PSK
//
// It always sends renegotiation_info, which wolfSSL 5.5 refuses, and it needs an RSA certificate to
// be signed with RSA.
package pion2

import (
	"context"
	"crypto/tls"

	"github.com/pion/dtls/v2"
	"github.com/pion/dtls/v2/pkg/crypto/elliptic"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/handshake/internal/engine"
)

// Engine negotiates with pion/dtls v2. It has no state: the zero Engine is ready, and safe for
// concurrent use.
type Engine struct{}

var _ handshake.Engine = Engine{}

// signers: v2 knows *ecdsa.PrivateKey and *rsa.PrivateKey, and no other crypto.Signer.
const signers = false

// Server implements handshake.Engine.
func (Engine) Server(ctx context.Context, c *handshake.Conn, cfg *handshake.Config) (*handshake.Result, error) {
	l, err := engine.Accept(ctx, c, cfg, signers)
	if err != nil {
		return nil, err
	}
	conn, err := dtls.ServerWithContext(ctx, c, serverConfig(cfg, l))
	return handover(c, conn, cfg, false, err)
}

// Client implements handshake.Engine.
func (Engine) Client(ctx context.Context, c *handshake.Conn, cfg *handshake.Config) (*handshake.Result, error) {
	pc, err := clientConfig(cfg)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	conn, err := dtls.ClientWithContext(ctx, c, pc)
	return handover(c, conn, cfg, true, err)
}

// handover takes what pion has negotiated, if it has.
func handover(c *handshake.Conn, conn *dtls.Conn, cfg *handshake.Config, isClient bool, err error) (*handshake.Result, error) {
	if err != nil {
		return nil, engine.Failed(c, cfg, isClient, err)
	}
	return engine.Handover(c, conn, isClient, func() ([]byte, error) {
		state := conn.ConnectionState()
		return state.MarshalBinary()
	})
}

// serverConfig translates the configuration of a server.
func serverConfig(cfg *handshake.Config, l engine.Local) *dtls.Config {
	pc := hardened(cfg, l)
	pc.Certificates = []tls.Certificate{*l.Certificate}
	pc.ClientAuth = map[tls.ClientAuthType]dtls.ClientAuthType{
		tls.NoClientCert:               dtls.NoClientCert,
		tls.RequestClientCert:          dtls.RequestClientCert,
		tls.RequireAnyClientCert:       dtls.RequireAnyClientCert,
		tls.RequireAndVerifyClientCert: dtls.RequireAndVerifyClientCert,
	}[cfg.ClientAuth]
	pc.ClientCAs = cfg.ClientCAs
	pc.VerifyPeerCertificate = engine.VerifyPeer(cfg, false)
	return pc
}

// clientConfig translates the configuration of a client.
func clientConfig(cfg *handshake.Config) (*dtls.Config, error) {
	l, err := engine.Client(cfg, signers)
	if err != nil {
		return nil, err
	}
	pc := hardened(cfg, l)
	pc.RootCAs, pc.ServerName = cfg.RootCAs, cfg.ServerName
	pc.InsecureSkipVerify = cfg.Pin != nil // VerifyPeer compares it
	pc.VerifyPeerCertificate = engine.VerifyPeer(cfg, true)
	pc.GetClientCertificate = func(*dtls.CertificateRequestInfo) (*tls.Certificate, error) {
		if l.Certificate == nil {
			return new(tls.Certificate), nil // none: the server decides
		}
		return l.Certificate, nil
	}
	return pc, nil
}

// hardened is what both ends have in common. Every default that is not good enough is overruled
// here; what is left out (PSK, SessionStore, SRTP, ALPN, InsecureHashes) stays off.
func hardened(cfg *handshake.Config, l engine.Local) *dtls.Config {
	pc := &dtls.Config{
		SignatureSchemes:     engine.Schemes(),
		ExtendedMasterSecret: dtls.RequireExtendedMasterSecret,
		MTU:                  l.MTU,
		FlightInterval:       handshake.Retransmit,
		LoggerFactory:        engine.Quiet{},
		KeyLogWriter:         cfg.KeyLog,
	}
	for _, s := range l.Suites {
		pc.CipherSuites = append(pc.CipherSuites, dtls.CipherSuiteID(s))
	}
	for _, g := range l.Groups {
		pc.EllipticCurves = append(pc.EllipticCurves, elliptic.Curve(g))
	}
	return pc
}
