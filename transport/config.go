package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Verifier verifies identity tokens and returns their claims. *token.Verifier is one. It is called
// by several goroutines at once, and may block until ctx is done, five seconds at most. One that is
// about to wait calls token.AboutToWait first, so that others do not wait behind it.
type Verifier interface {
	Verify(ctx context.Context, now time.Time, raw []byte) (*token.Claims, error)
}

// Config is what a Server needs: a Certificate and a Verifier. The rest may
// stay zero.
type Config struct {
	// Certificate is the server's certificate, which has not expired, with its own key, ECDSA P-256 or
	// RSA. With the default engine an RSA certificate must be signed by an RSA key, and the key must
	// be in memory; with -tags sallyport_pion3 it may be behind another crypto.Signer.
	// Server.SetCertificate replaces it while the server runs.
	Certificate tls.Certificate

	// Verifier judges identity tokens.
	Verifier Verifier

	// Session says whom to admit and what a session may do. Where its FleetKeys are
	// nil the server makes a key of its own: players resume here and nowhere else.
	Session session.Config

	// Lanes are the lanes on which messages travel, at most 16, in both directions. A client learns of
	// them when it joins, and uses them if its session.ClientConfig.Lanes says so. Without Lanes there
	// are only payloads, and a session spends nothing on messages.
	Lanes []Lane

	// ClientAuth asks clients for a certificate: NoClientCert,
	// RequestClientCert, RequireAnyClientCert or, with ClientCAs,
	// RequireAndVerifyClientCert.
	ClientAuth tls.ClientAuthType
	ClientCAs  *x509.CertPool

	// Snapshot is a file by which sessions outlive the process: Shutdown writes the live ones there,
	// sealed with Session.FleetKeys, and a Listen within 30 s on the same address goes on with them.
	// Their players notice nothing but the pause. Messages of Lanes go on, too: up to 64 KiB a
	// session, and up to 128 MiB in all, not counting Unreliable and Sequenced, which are stale by
	// then. A session with more unfinished ones comes back by ticket, as all do if Lanes or
	// Session.Behaviour.Bytes have changed: its lanes begin anew, and both ends report what was
	// unfinished as lost. Used tokens, ended sessions, revocations and bans go with them, and are
	// taken over by a later Listen, too. A file beside it with the suffix .taken keeps it from being
	// used twice. Both must be regular files in a directory that only the server may write; links are
	// not followed. Without Session.FleetKeys, Listen returns an error. Empty means that Shutdown ends
	// all sessions, and that the next process knows nothing of them.
	Snapshot string

	// Conn is a socket made elsewhere, which the Server then owns; nil means
	// that Listen makes one. On a host with several addresses it should listen on
	// one of them, unless it is a *net.UDPConn on Linux: any other socket answers
	// from the address that the system chooses, and an alarm in the audit says so.
	Conn net.PacketConn

	// Also carries datagrams beside the UDP socket, for players in networks that block UDP: package
	// websocket of module gateway makes one. The Server then owns it. Each datagram is handled as it
	// would be by UDP, under the same rules; a session may come by either and be resumed by the other. An
	// address that ReadFrom returns is the peer's, as a *net.UDPAddr or as text with an IP address and a
	// port: source limits and fingerprints go by it. The same address by UDP is another peer. ReadFrom is
	// called by one goroutine, WriteTo by several at once: it must not block, and may drop what it has no
	// room for. Serve gives Also a shard of its own, Poll reads it after the UDP socket. Its sessions are
	// not in a Snapshot, since its connections end with the process: their players come back by ticket.
	// Nil means UDP alone.
	Also net.PacketConn

	// Filter is told the players' addresses, for a packet filter in front of the socket. It is told
	// nothing of players of Also. Nil means none, and costs nothing.
	Filter Filter

	// Shards is how many sockets share the port in Serve, each with a goroutine
	// and connections of its own. Zero means one for each processor; negative is an error. Listen opens
	// them, and the first Poll closes all but one: set 1 for a server that polls.
	// Where sockets cannot share a port (Config.Conn, other systems than Linux)
	// there is one.
	Shards int

	// Audit receives a record of every trust decision; nil means that none is kept.
	Audit audit.Sink

	// Logger receives the same decisions as lines for a person: joins and ends, refusals with their
	// cause, bans, alarms. See audit.Log for attributes, levels and bounds. A line holds no secret, no
	// name of a player, no whole address and no text from a client. Lines are written by one
	// goroutine, never while a datagram is handled; a Logger that hangs holds up Close. Enabled of its
	// Handler is called while the decision is made, so it must not wait. Nil means none.
	Logger *slog.Logger

	// OnExchange is told of each handshake, sign-in, resumption and renewal when it is over: how long
	// its steps took, their outcome, and the trace id that the audit's lines about it have. Handshakes
	// of addresses that have not returned the cookie are only counted. It is called in the turn of the
	// player's shard, at the same time by several shards in Serve, and never for a datagram of a live
	// session that asks for nothing. It must not block: it holds up the match. Nil means none, and
	// costs nothing.
	OnExchange func(Exchange)

	// KeyLog is for debugging ONLY: whoever reads what is written there can read and forge everything
	// that the server and its players say to each other, identity tokens included, in captures of the
	// past as well. It receives the master secret of each handshake in NSS key log format, with which
	// Wireshark decrypts the server's traffic: one line a call, and one call at a time. Nil, the
	// default, means that no secret leaves the process. Listen puts an alarm in the audit when it is
	// set. A handshake waits for its line to be written, and no datagram of a session does; errors are
	// ignored, and a writer that panics is not called again, which is an alarm, too.
	KeyLog io.Writer

	// MaxHandshakes, MaxUnproven and HandshakeTimeout bound handshakes that are
	// under way, on all shards together. Zero means 1,024 handshakes, 8 of them within
	// one /24 or /64 that have not returned their cookie, and 5 s; negative is an error,
	// and so is a MaxUnproven above 16,777,216.
	// Sources bounds how many each source may begin; MaxUnproven stands for its Unproven.
	MaxHandshakes    int
	MaxUnproven      int
	HandshakeTimeout time.Duration
	Sources          policy.SourceConfig

	// Verifications is how many identity tokens are verified at once. Zero
	// means one for each processor; negative is an error.
	Verifications int
}

// Errors of configuration.
var (
	errNoCertificate = badConfig("Certificate is missing: give the certificate and key that the server shows, ECDSA P-256 or RSA")
	errVerify        = badConfig("ClientAuth must be NoClientCert, RequestClientCert, RequireAnyClientCert, or RequireAndVerifyClientCert with ClientCAs")
	errNoVerifier    = badConfig("Verifier is missing: give a token.Verifier with the issuers that you trust")
	errSnapshotKeys  = badConfig("Snapshot needs Session.FleetKeys: without them no other process could read it")
)

// checkCertificate refuses what no handshake could use. Its errors match ErrConfig.
func checkCertificate(cert *tls.Certificate) error {
	if len(cert.Certificate) == 0 {
		return errNoCertificate
	}
	if err := handshake.CheckCertificate(cert, time.Now(), dtls.Signers); err != nil {
		return badField("Certificate", err)
	}
	return nil
}

func (c *Config) check() error {
	if err := checkCertificate(&c.Certificate); err != nil {
		return err
	}
	switch {
	case c.ClientAuth < tls.NoClientCert, c.ClientAuth > tls.RequireAndVerifyClientCert,
		c.ClientAuth == tls.VerifyClientCertIfGiven, c.ClientAuth == tls.RequireAndVerifyClientCert && c.ClientCAs == nil:
		return errVerify
	case c.Snapshot != "" && !c.Session.FleetKeys.Enabled():
		return errSnapshotKeys
	case c.Verifier == nil:
		return errNoVerifier
	}
	for _, field := range [...]struct {
		name  string
		value int64
	}{
		{"MaxHandshakes", int64(c.MaxHandshakes)},
		{"MaxUnproven", int64(c.MaxUnproven)},
		{"HandshakeTimeout", int64(c.HandshakeTimeout)},
		{"Verifications", int64(c.Verifications)},
		{"Shards", int64(c.Shards)},
	} {
		if field.value < 0 {
			return badConfig(field.name + " must not be negative")
		}
	}
	if c.MaxHandshakes == 0 {
		c.MaxHandshakes = defaultMaxHandshakes
	}
	if c.MaxUnproven == 0 {
		c.MaxUnproven = defaultMaxUnproven
	}
	var err error
	if c.Sources, err = c.Sources.WithDefaults(); err != nil {
		return badField("Sources", err)
	}
	c.Sources.Unproven = c.MaxUnproven
	if _, err = c.Sources.WithDefaults(); err != nil {
		return badField("MaxUnproven", err)
	}
	if c.HandshakeTimeout == 0 {
		c.HandshakeTimeout = defaultHandshakeTimeout
	}
	if c.Session.FleetKeys == nil {
		key, err := fleetkey.Generate()
		if err != nil {
			return err
		}
		if c.Session.FleetKeys, err = fleetkey.NewRing(key); err != nil {
			return err
		}
	}
	if c.Audit == nil {
		c.Audit = discard{}
	}
	return nil
}

type discard struct{}

func (discard) Record(audit.Event) {}
