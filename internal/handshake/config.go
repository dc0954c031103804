package handshake

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"

	"github.com/sallyport/sallyport/internal/record"
)

// Config configures one end of a handshake. It may serve many handshakes at once, which do not
// change it. Suites, versions and signature schemes are fixed: DTLS 1.2, ECDHE, AES-GCM, SHA-256
// signatures by ECDSA P-256 or RSA keys, extended master secret required, no resumption.
type Config struct {
	// Certificate returns the certificate to present. A server is asked at each handshake, so the
	// answer may change while it runs; a client may leave it nil or return nil. Safe for concurrent
	// use.
	Certificate func() *tls.Certificate

	// RootCAs are the authorities that a client trusts; nil means those of the host.
	RootCAs *x509.CertPool
	// ServerName is the DNS name or IP address that the server's certificate must be for. Clients
	// must set it.
	ServerName string
	// Pin, if set, is the SHA-256 of the only certificate, in DER, that a client accepts from its
	// server. RootCAs and ServerName are ignored then.
	Pin *[32]byte

	// ClientAuth is a server's policy for client certificates: NoClientCert, RequestClientCert,
	// RequireAnyClientCert (possession proven, issuer not checked) or RequireAndVerifyClientCert.
	ClientAuth tls.ClientAuthType
	// ClientCAs are the authorities that a server trusts with RequireAndVerifyClientCert, which
	// requires them.
	ClientCAs *x509.CertPool

	MTU int // largest UDP payload to send in bytes, at least 256; zero means 1200

	// KeyLog, if set, receives the secrets of every connection in NSS key log format, from many
	// goroutines at once. For debugging only.
	KeyLog io.Writer
}

// PayloadLimit returns MTU or its default. The error is ErrConfig.
func (c *Config) PayloadLimit() (int, error) {
	mtu := cmp.Or(c.MTU, defaultMTU)
	if mtu < minMTU {
		return 0, ErrConfig
	}
	return mtu, nil
}

// Engine negotiates keys over a Conn, which it closes if it fails. It runs until it is done or ctx
// ends: the caller sets the time limit. An engine is safe for concurrent use; a Conn serves one
// handshake.
//
// Errors match ErrConfig or ErrFailed. A server's Result means that the client holds the same keys
// only once its first record has opened (key confirmation).
type Engine interface {
	Server(ctx context.Context, c *Conn, cfg *Config) (*Result, error)
	Client(ctx context.Context, c *Conn, cfg *Config) (*Result, error)
}

// Result is the outcome of a handshake. It belongs to the caller.
type Result struct {
	Secrets record.Secrets
	Next    uint64   // first record number of epoch 1 that the engine has not used
	Peer    [][]byte // the peer's certificates, DER, leaf first; nil without
	Shown   bool     // the client's end: its own certificate was asked for and shown

	Flight Flight // the engine's last
}
