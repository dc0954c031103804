package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
)

// MaxDTLSPayload is the largest payload in bytes of a connection without
// sessions: a datagram of 1,200 bytes less its record.
const MaxDTLSPayload = wire.MaxDatagram - record.Overhead

// ChannelBindingLabel is the RFC 5705 label whose 32 bytes, without context,
// name a connection to both of its ends (RFC 9266).
const ChannelBindingLabel = "EXPORTER-Channel-Binding"

// DTLSConfig is what ListenDTLS and DialDTLS need: a server its Certificate, a
// client RootCAs unless the system knows the server's authority. The rest may
// stay zero.
type DTLSConfig struct {
	// Certificate is what a server shows, and a client when it is asked: an
	// ECDSA P-256 or an RSA key. A client may do without.
	Certificate tls.Certificate

	// ClientAuth asks a server's clients for a certificate: NoClientCert,
	// RequestClientCert or RequireAnyClientCert. Who shows one has proven to hold
	// its key; who vouches for it is not looked at.
	ClientAuth tls.ClientAuthType

	// RootCAs vouch for a client's server; nil means the system's. ServerName is
	// whom the certificate must be for; empty means the host of the address.
	RootCAs    *x509.CertPool
	ServerName string

	// MTU is the largest UDP payload of the handshake in bytes, 256 to 1,500;
	// zero means 1,200. A payload's datagram is as large as the payload makes it.
	MTU int

	// KeyLog, when set, is given the secrets of every connection in NSS key log
	// format, one Write for each, by several goroutines at once. It is for
	// debugging alone: who has them reads everything.
	KeyLog io.Writer

	// Conn is a socket made elsewhere, which the server or client then owns; nil
	// means a new one.
	Conn net.PacketConn

	// Idle ends a server's connection from which nothing has come for so long,
	// before its first record too; zero means DefaultDTLSIdle.
	Idle time.Duration
	// MaxConns is how many connections a server has at once; zero means
	// DefaultMaxDTLSConns.
	MaxConns int
	// MaxUnproven and Sources bound handshakes as those of Config do.
	MaxUnproven int
	Sources     policy.SourceConfig
}

// Errors of configuration.
var (
	errClientAuth = errors.New("transport: DTLSConfig.ClientAuth must be NoClientCert, RequestClientCert or RequireAnyClientCert")
	errMTU        = errors.New("transport: DTLSConfig.MTU must be 256 to 1500 bytes")
	errBelowZero  = errors.New("transport: DTLSConfig.Idle and MaxConns must not be negative")
)

// checkServer refuses what no server could use. Listen looks at the rest.
func (c *DTLSConfig) checkServer() error {
	switch {
	case c.ClientAuth < tls.NoClientCert || c.ClientAuth > tls.RequireAnyClientCert:
		return errClientAuth
	case c.Idle < 0 || c.MaxConns < 0:
		return errBelowZero
	}
	return c.checkMTU()
}

func (c *DTLSConfig) checkMTU() error {
	if _, err := (&handshake.Config{MTU: c.MTU}).PayloadLimit(); err != nil || c.MTU > udp.MaxLen {
		return errMTU
	}
	return nil
}

// identity is what both ends can say of a connection and its peer.
type identity struct {
	suite    record.Suite
	exporter [32]byte
	peer     [][]byte
}

func identityOf(r *handshake.Result) identity {
	id := identity{suite: r.Secrets.Suite, peer: r.Peer}
	copy(id.exporter[:], r.Secrets.Export(ChannelBindingLabel, len(id.exporter)))
	return id
}

// Suite is the cipher suite of the connection.
func (id *identity) Suite() record.Suite { return id.suite }

// Exporter is the connection's keying material for ChannelBindingLabel: both
// ends get the same 32 bytes, and nobody else. Compare it in constant time.
func (id *identity) Exporter() [32]byte { return id.exporter }

// PeerCertificates are what the peer has shown and proven to hold the key of, in
// DER, its own first; none if it has shown none. They must not be changed.
func (id *identity) PeerCertificates() [][]byte { return id.peer }
