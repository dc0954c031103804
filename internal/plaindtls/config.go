package plaindtls

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/policy"
)

// MaxPayload is the largest payload in bytes: a datagram of 1,200 bytes less its record.
const MaxPayload = dtls.MaxDatagram - record.Overhead

// ChannelBindingLabel is the RFC 5705 label whose 32 bytes, without context,
// name a connection to both of its ends (RFC 9266).
const ChannelBindingLabel = "EXPORTER-Channel-Binding"

// Limits and defaults. Each says its unit and its reason.
const (
	// DefaultIdle ends a server's connection from which nothing has come for so long: a person
	// may be typing at the other end.
	DefaultIdle = time.Minute

	// DefaultMaxConns is how many connections a server has at once.
	DefaultMaxConns = 16384

	// DefaultMaxHandshakes is how many handshakes may be under way at once.
	DefaultMaxHandshakes = 1024

	// handshakeTimeout ends a handshake that takes longer.
	handshakeTimeout = 5 * time.Second

	// lingerTime is how long a connection answers after its end.
	lingerTime = 5 * time.Second

	// receiveQueue is how many payloads wait for a client's Receive; then the oldest goes.
	receiveQueue = 256

	// addressPause is how long the server's next address waits for those before it to answer
	// (RFC 8305, section 5).
	addressPause = 250 * time.Millisecond

	// maxAddresses is how many addresses of one name a client tries.
	maxAddresses = 8
)

// Errors that callers can match.
var (
	ErrConfig    = errors.New("plaindtls: configuration") // the field is in the text
	ErrServing   = errors.New("plaindtls: Serve runs already")
	ErrTooLarge  = errors.New("plaindtls: payload is larger than MaxPayload")
	ErrHandshake = errors.New("plaindtls: handshake failed") // its cause is in the chain
	ErrTimeout   = errors.New("plaindtls: no answer from the server")
)

// Config is what Listen and Dial need: a server its Certificate, a
// client RootCAs unless the system knows the server's authority. The rest may
// stay zero.
type Config struct {
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
	// before its first record too; zero means DefaultIdle.
	Idle time.Duration
	// MaxConns is how many connections a server has at once; zero means
	// DefaultMaxConns.
	MaxConns int
	// MaxUnproven bounds half-open handshakes of one /24 or /64, and Sources what each source may
	// begin.
	MaxUnproven int
	Sources     policy.SourceConfig
}

// checkServer refuses what no server could use.
func (c *Config) checkServer() error {
	switch {
	case len(c.Certificate.Certificate) == 0:
		return fmt.Errorf("%w: Certificate is missing", ErrConfig)
	case c.ClientAuth < tls.NoClientCert || c.ClientAuth > tls.RequireAnyClientCert:
		return fmt.Errorf("%w: ClientAuth must be NoClientCert, RequestClientCert or RequireAnyClientCert", ErrConfig)
	case c.Idle < 0 || c.MaxConns < 0 || c.MaxUnproven < 0:
		return fmt.Errorf("%w: Idle, MaxConns and MaxUnproven must not be negative", ErrConfig)
	}
	if err := handshake.CheckCertificate(&c.Certificate, time.Now(), dtls.Signers); err != nil {
		return fmt.Errorf("%w: Certificate: %w", ErrConfig, err)
	}
	if _, err := c.sources().WithDefaults(); err != nil {
		return fmt.Errorf("%w: MaxUnproven and Sources: %w", ErrConfig, err)
	}
	return c.checkMTU()
}

// sources is what each source may begin.
func (c *Config) sources() policy.SourceConfig {
	s := c.Sources
	s.Unproven = c.MaxUnproven
	return s
}

func (c *Config) checkMTU() error {
	if _, err := (&handshake.Config{MTU: c.MTU}).PayloadLimit(); err != nil || c.MTU > udp.MaxLen {
		return fmt.Errorf("%w: MTU must be 256 to 1500 bytes", ErrConfig)
	}
	return nil
}

// handshake is what either end brings to a handshake.
func (c *Config) handshake() handshake.Config {
	hs := handshake.Config{
		ClientAuth: c.ClientAuth, RootCAs: c.RootCAs, ServerName: c.ServerName, MTU: c.MTU, KeyLog: c.KeyLog,
	}
	if cert := c.Certificate; len(cert.Certificate) > 0 {
		hs.Certificate = func() *tls.Certificate { return &cert }
	}
	return hs
}

// endpoint is what a server wants of package dtls.
func (c *Config) endpoint() dtls.Config {
	sources, _ := c.sources().WithDefaults() // checkServer has looked at the error
	return dtls.Config{
		Handshake: c.handshake(), HandshakeTimeout: handshakeTimeout, ConfirmTimeout: cmp.Or(c.Idle, DefaultIdle),
		MaxHandshakes: DefaultMaxHandshakes, Sources: sources,
		Now: time.Now, Wall: func() time.Time { return time.Now().Round(0) },
		Flooded: func(time.Time, bool) {},
	}
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
