package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/session"
)

// ClientConfig is what Dial needs: a Token, and RootCAs unless the server's
// certificate comes from an authority that the system knows.
type ClientConfig struct {
	// Token returns an identity token that has not been used yet: at Dial, and
	// again in good time before the one in use expires.
	Token func(ctx context.Context) ([]byte, error)

	// RootCAs vouch for the server; nil means the system's.
	RootCAs *x509.CertPool
	// ServerName is whom the server's certificate must be for; empty means the
	// host of the address. A dot behind it counts for nothing.
	ServerName string
	// Pin, when set, is the SHA-256 of the only certificate (DER) that is taken
	// from the server, in place of RootCAs and ServerName: for one that nobody
	// vouches for, and that a service the client trusts has named.
	Pin *[32]byte
	// Certificate is shown if the server asks for one.
	Certificate *tls.Certificate

	// Session says who the client is: platform, build, scope, bearer mode.
	Session session.ClientConfig

	// Conn is a socket made elsewhere, which the Client then owns; nil means a
	// new one, for both address families. It may be connected to the server.
	Conn net.PacketConn

	// OnEvent, when set, is told what happens to the session. It is called by one
	// goroutine at a time, which may be that of Dial or Rebind, and must neither
	// block nor call the client.
	OnEvent func(ClientEvent)
}

// handshake is what a client brings to the handshake.
func (c *ClientConfig) handshake() handshake.Config {
	config := handshake.Config{RootCAs: c.RootCAs, ServerName: udp.PlainHost(c.ServerName), Pin: c.Pin}
	if cert := c.Certificate; cert != nil {
		config.Certificate = func() *tls.Certificate { return cert }
	}
	return config
}

var errNoToken = badConfig("Token is missing: give a function that returns the player's identity token")

// ClientStats is what a client has done since Dial.
type ClientStats struct {
	Sent                     uint64 // DATA and BEARER
	Received                 uint64 // payloads accepted
	Dropped                  uint64 // datagrams that failed a check: not ours, copies, or damaged
	Overrun                  uint64 // payloads that Receive did not take in time
	BytesSent, BytesReceived uint64 // UDP payloads, handshakes included

	RTT    time.Duration // the last one measured, 0 before
	Jitter time.Duration // mean difference between one RTT and the next

	// LostIn are datagrams of the server's that have not come, or too late; LostOut
	// the client's own, as the server said a few seconds ago at most.
	LostIn, LostOut uint64
	// Moved and Resumed are how often the server has followed to another address, as
	// far as its notice has come, and the session has gone on by another connection.
	Moved, Resumed uint64
}
