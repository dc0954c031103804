// Package pion3 is the handshake engine on github.com/pion/dtls/v3 v3.1.15, and the only package
// that imports it. It is for programs whose scanners refuse v2, and for peers that v2 cannot talk
// to, such as wolfSSL. It negotiates exactly what package pion2 does. The configuration here and the
// Conn of package handshake close the weaknesses of v2 that v3 still has, and these:
//
//	v3 has CBC and ChaCha20 suites, and Ed25519             both ends offer four AES-GCM suites and
//	                                                        engine.Schemes only
//	it has no time limit by default                         the caller's context ends the handshake
//	an empty datagram, or data of epoch 0, ends a session   handshake.Conn passes neither
//	"Close can send close_notify using a record counter     handshake.Conn is muted before the state is
//	that the restored connection reuses" (resume.go)        exported; nothing is sent under a later number
//
// v3 derives the nonce of its Finished from epoch and record number, as package record does, so
// Conn.Result checks both against what was sent. Its retransmissions back off: the interval doubles,
// from Retransmit on.
package pion3

import (
	"context"
	"crypto/tls"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
	dtlsnet "github.com/pion/dtls/v3/pkg/net"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/handshake/internal/engine"
)

// Engine negotiates with pion/dtls v3. It has no state: the zero Engine is ready, and safe for
// concurrent use.
type Engine struct{}

var _ handshake.Engine = Engine{}

// signers: v3 signs by crypto.Signer, wherever the key is.
const signers = true

// Server implements handshake.Engine.
func (Engine) Server(ctx context.Context, c *handshake.Conn, cfg *handshake.Config) (*handshake.Result, error) {
	l, err := engine.Accept(ctx, c, cfg, signers)
	if err != nil {
		return nil, err
	}
	conn, err := dtls.ServerWithOptions(dtlsnet.PacketConnFromConn(c), c.RemoteAddr(), serverOptions(cfg, l)...)
	return negotiate(ctx, c, conn, cfg, false, err)
}

// Client implements handshake.Engine.
func (Engine) Client(ctx context.Context, c *handshake.Conn, cfg *handshake.Config) (*handshake.Result, error) {
	opts, err := clientOptions(cfg)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	conn, err := dtls.ClientWithOptions(dtlsnet.PacketConnFromConn(c), c.RemoteAddr(), opts...)
	return negotiate(ctx, c, conn, cfg, true, err)
}

// negotiate runs the handshake, unless err says that there is no connection to run it on, and takes
// what it came to.
func negotiate(
	ctx context.Context, c *handshake.Conn, conn *dtls.Conn, cfg *handshake.Config, isClient bool, err error,
) (*handshake.Result, error) {
	if err != nil {
		return nil, engine.Failed(c, cfg, isClient, err)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, engine.Failed(c, cfg, isClient, err)
	}
	return engine.Handover(c, conn, isClient, func() ([]byte, error) {
		state, ok := conn.ConnectionState()
		if !ok {
			return nil, handshake.ErrFailed
		}
		return state.MarshalBinary()
	})
}

// serverOptions translates the configuration of a server.
func serverOptions(cfg *handshake.Config, l engine.Local) []dtls.ServerOption {
	auth := map[tls.ClientAuthType]dtls.ClientAuthType{
		tls.NoClientCert:               dtls.NoClientCert,
		tls.RequestClientCert:          dtls.RequestClientCert,
		tls.RequireAnyClientCert:       dtls.RequireAnyClientCert,
		tls.RequireAndVerifyClientCert: dtls.RequireAndVerifyClientCert,
	}[cfg.ClientAuth]
	opts := []dtls.ServerOption{
		dtls.WithCertificates(*l.Certificate),
		dtls.WithClientAuth(auth),
		dtls.WithClientCAs(cfg.ClientCAs),
		dtls.WithVerifyPeerCertificate(engine.VerifyPeer(cfg, false)),
	}
	for _, o := range hardened(cfg, l) {
		opts = append(opts, o)
	}
	return opts
}

// clientOptions translates the configuration of a client.
func clientOptions(cfg *handshake.Config) ([]dtls.ClientOption, error) {
	l, err := engine.Client(cfg, signers)
	if err != nil {
		return nil, err
	}
	opts := []dtls.ClientOption{
		dtls.WithRootCAs(cfg.RootCAs),
		dtls.WithInsecureSkipVerify(cfg.Pin != nil), // VerifyPeer compares it
		dtls.WithServerName(cfg.ServerName),
		dtls.WithVerifyPeerCertificate(engine.VerifyPeer(cfg, true)),
		dtls.WithGetClientCertificate(func(*dtls.CertificateRequestInfo) (*tls.Certificate, error) {
			if l.Certificate == nil {
				return new(tls.Certificate), nil // none: the server decides
			}
			return l.Certificate, nil
		}),
	}
	for _, o := range hardened(cfg, l) {
		opts = append(opts, o)
	}
	return opts, nil
}

// hardened is what both ends have in common. Every default that is not good enough is overruled
// here; what is left out (PSK, SessionStore, connection ids, SRTP, ALPN, InsecureHashes) stays off.
func hardened(cfg *handshake.Config, l engine.Local) []dtls.Option {
	var suites []dtls.CipherSuiteID
	for _, s := range l.Suites {
		suites = append(suites, dtls.CipherSuiteID(s))
	}
	var groups []elliptic.Curve
	for _, g := range l.Groups {
		groups = append(groups, elliptic.Curve(g))
	}
	return []dtls.Option{
		dtls.WithCipherSuites(suites...),
		dtls.WithSignatureSchemes(engine.Schemes()...),
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		dtls.WithMTU(l.MTU),
		dtls.WithFlightInterval(handshake.Retransmit),
		dtls.WithEllipticCurves(groups...),
		dtls.WithLoggerFactory(engine.Quiet{}),
		dtls.WithKeyLogWriter(cfg.KeyLog),
	}
}
