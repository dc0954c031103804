package handshake

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"

	"github.com/sallyport/sallyport/internal/record"
)

// Config is what one end brings to a handshake. It may serve many handshakes at once and is not changed by
// them. There is no choice of suites, versions or signature schemes: DTLS 1.2, ECDHE, AES-GCM, SHA-256
// signatures by ECDSA P-256 or RSA keys, extended master secret required, no resumption.
type Config struct {
	// Certificate returns the certificate to present. A server is asked at each handshake, so the answer may
	// change while it runs; a client may leave it nil or return nil. Safe for concurrent use.
	Certificate func() *tls.Certificate

	// RootCAs are whom a client trusts to vouch for its server; nil means those of the host.
	RootCAs *x509.CertPool
	// ServerName is the DNS name or IP address that the server's certificate must be for. Clients must set it.
	ServerName string
	// Pin, if set, is the SHA-256 of the one certificate, in DER, that a client takes from its server; nobody else
	// vouches for it, and RootCAs and ServerName count for nothing.
	Pin *[32]byte

	// ClientAuth is what a server wants of client certificates: NoClientCert, RequestClientCert,
	// RequireAnyClientCert (possession proven, issuer not looked at) or RequireAndVerifyClientCert.
	ClientAuth tls.ClientAuthType
	// ClientCAs are whom a server trusts with RequireAndVerifyClientCert; it must be set then.
	ClientCAs *x509.CertPool

	MTU int // largest UDP payload to send in bytes, at least 256; zero means 1200

	// KeyLog, if set, receives the secrets of every connection in NSS key log format, from many goroutines at
	// once. For debugging only.
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

// Engine negotiates keys over a Conn, which it closes when it fails. It runs until it is done or ctx ends:
// the time limit is the caller's. An engine is safe for concurrent use, a Conn serves one handshake.
//
// Errors match ErrConfig or ErrFailed. A server's Result means that the client holds the same keys only once
// its first record has opened.
type Engine interface {
	Server(ctx context.Context, c *Conn, cfg *Config) (*Result, error)
	Client(ctx context.Context, c *Conn, cfg *Config) (*Result, error)
}

// Result is what a handshake leaves. It belongs to the caller.
type Result struct {
	Secrets record.Secrets
	Next    uint64   // first record number of epoch 1 that the engine has not used
	Peer    [][]byte // the peer's certificates, DER, leaf first; nil without
	Shown   bool     // the client's end: its own certificate was asked for and shown

	Flight Flight // the engine's last
}
