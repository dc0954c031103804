package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/session"
)

// ClientConfig is what Dial needs: a Token, and RootCAs unless the server's certificate comes
// from an authority that the system trusts.
type ClientConfig struct {
	// Token returns an identity token that has not been used yet. It is called at Dial, again well
	// before the token in use expires, and when the server asks for a token because the player's
	// network has changed. It must return when ctx is done: after Dial that is in time for another
	// call, after 5 s or twice what the quickest call took, and longer each time that was too short.
	// Close waits for it.
	Token func(ctx context.Context) ([]byte, error)

	// RootCAs are the authorities trusted to certify the server; nil means the system's.
	RootCAs *x509.CertPool
	// ServerName is the name that the server's certificate must be for; empty means the host
	// of the address. A trailing dot is ignored.
	ServerName string
	// Pin, when set, is the SHA-256 of the only certificate (DER) that is accepted from the server, in
	// place of RootCAs and ServerName. It is for a certificate that no authority has signed, but that
	// a service trusted by the client has named.
	Pin *[32]byte
	// Certificate is shown if the server asks for one.
	Certificate *tls.Certificate

	// Session describes the client: platform, build, scope, bearer mode.
	Session session.ClientConfig

	// Conn is the socket to use, which the Client then owns; nil means a new one, for both
	// address families. It may be connected to the server.
	Conn net.PacketConn

	// Fallback carries the session where the network blocks UDP: package websocket of module gateway
	// has one. It returns a carrier of datagrams to server, and the server's address on that carrier,
	// an IP address and a port. server is host:port: the address that was given to Dial, or another one
	// that the server has sent the client to. The Client then owns the carrier. When its ReadFrom
	// returns an error, it is closed and Fallback is called for another one.
	//
	// Dial calls it once two handshakes by UDP have had 1.5 s each without an answer, and goes on with both: the
	// first to complete its handshake has the session. A session whose path is lost calls it after two attempts by
	// UDP, or at once if it was on a carrier. It stays on that carrier until it is resumed: then UDP is tried
	// first, and has a quarter of a second to answer. The handshake, the certificate check and the session are the
	// same on both, so that whoever runs a proxy in between can neither read nor forge anything. Fallback is
	// called in a goroutine of its own, and again after an error, with pauses. It must return when ctx is done;
	// Close waits for that. Nil means UDP alone.
	Fallback func(ctx context.Context, server string) (net.PacketConn, net.Addr, error)

	// KeyLog is for debugging ONLY: whoever reads what is written there can read and forge everything
	// that this client and its server say to each other, identity tokens included, in captures of the
	// past as well. It receives the master secret of each of the client's handshakes in NSS key log
	// format, with which Wireshark decrypts the client's traffic: one line a call, and one call at a
	// time for each client. Nil, the default, means that no secret leaves the process. Errors are
	// ignored, and a writer that panics is not called again.
	KeyLog io.Writer

	// OnEvent, when set, is called when something happens to the session. It is called by one
	// goroutine at a time, which may be that of Dial or Rebind, and must neither block nor call
	// the client. From the first Poll on only Poll calls it, at its end, and it may call the client.
	OnEvent func(ClientEvent)
}

// handshake returns the configuration of the DTLS handshake.
func (c *ClientConfig) handshake() handshake.Config {
	config := handshake.Config{RootCAs: c.RootCAs, ServerName: udp.PlainHost(c.ServerName), Pin: c.Pin, KeyLog: c.KeyLog}
	if cert := c.Certificate; cert != nil {
		config.Certificate = func() *tls.Certificate { return cert }
	}
	return config
}

// channel returns what the client's machine has to know of the handshake's result. The
// certificate in it is the client's own.
func (c *ClientConfig) channel(keys *handshake.Result) machine.Channel {
	ch := channel(keys)
	ch.HasCertificate, ch.Thumbprint = false, [32]byte{}
	if cert := c.Certificate; cert != nil && keys.Shown {
		ch.HasCertificate, ch.Thumbprint = true, thumbprint(cert.Certificate[0])
	}
	return ch
}

var errNoToken = badConfig("Token is missing: give a function that returns the player's identity token")

// ClientStats is what a client has counted and measured since Dial.
type ClientStats struct {
	Sent                     uint64 // DATA and BEARER
	Received                 uint64 // payloads accepted
	Dropped                  uint64 // datagrams that failed a check: not ours, copies, or damaged
	Overrun                  uint64 // payloads, and messages of mode Unreliable and Sequenced, that were not taken in time
	Yielded                  uint64 // payloads that Send has not sent, to leave messages a part of what the server takes
	BytesSent, BytesReceived uint64 // UDP payloads, handshakes included

	RTT    time.Duration // the last one measured, 0 before
	Jitter time.Duration // mean difference between one RTT and the next

	// LostIn counts datagrams from the server that have not arrived, or arrived too late; with lanes
	// also the numbers that the server has left out, one in about 256. LostOut counts those of the
	// client, without numbers left out, as of the server's last report a few seconds ago.
	LostIn, LostOut uint64
	// Rate is how many bytes a second the lanes may send at most, as the path and the server's limits
	// are now, headers of IP and UDP included. Queued is how many bytes of messages on all lanes have
	// neither arrived nor been given up. Both are 0 without lanes.
	Rate, Queued int
	// Moved counts how often the server has followed the client to another address, Resumed how often
	// the session has continued on another connection.
	Moved, Resumed uint64

	// Fallback reports whether the session is on a carrier of ClientConfig.Fallback now.
	Fallback bool
}
