package session

import (
	"cmp"
	"crypto/rand"
	"io"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// ClientConfig configures a client. The zero value works.
type ClientConfig struct {
	// Fingerprint is what the client states about itself. Platform and Build hold at most 128 bytes
	// of UTF-8 without control characters.
	Fingerprint Fingerprint
	// Scope is the match asked for, with the same limits; empty means the token's own.
	Scope string
	// Metadata is data of the game's own, at most 256 bytes, sent in HELLO with the identity token:
	// transport.Player.Metadata returns it in Handler.Join. It is not sent when the session is
	// resumed. Nothing proves it: the player may have written anything. Do not change the bytes
	// afterwards.
	Metadata []byte
	// Bearer sends the identity token in every datagram instead of a tag. The server must set
	// Config.AllowBearer, else it drops every datagram silently.
	Bearer bool
	// Lanes makes the session use the server's lanes for messages, if there are any. Without it, and
	// in bearer mode, a session has only payloads.
	Lanes bool
	// Unbound asks for binding mode none.
	Unbound bool
	// Window and Overlap are as in Config. KeepAlive is the longest time between two PINGs; while
	// payloads flow a PING is sent every two fifths of it, to measure. Zero means 1024 datagrams
	// and 5 s each, or for KeepAlive a sixth of the server's idle time if that is less; negative is an
	// error. By WebSocket it should be less than 10 s: a gateway that is full takes the place of
	// one to which the server has said nothing for so long (PROTOCOL.md 9.8).
	Window    int
	Overlap   time.Duration
	KeepAlive time.Duration
	// Probe is how long the server may be silent while payloads flow before the client sends a PING
	// to test the path. Zero means 250 ms, negative means never.
	Probe time.Duration
	// Random is the source of nonces; nil means crypto/rand.
	Random io.Reader
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the
// field.
func (c ClientConfig) WithDefaults() (ClientConfig, error) {
	if err := notNegative(field{"Overlap", int64(c.Overlap)}, field{"KeepAlive", int64(c.KeepAlive)}); err != nil {
		return c, err
	}
	for _, f := range [...]struct{ name, text string }{
		{"Fingerprint.Platform", c.Fingerprint.Platform}, {"Fingerprint.Build", c.Fingerprint.Build}, {"Scope", c.Scope},
	} {
		if !wire.IsText([]byte(f.text)) {
			return c, badConfig(f.name + " must be at most 128 bytes of UTF-8 without control characters")
		}
	}
	if len(c.Metadata) > wire.MaxMetadata {
		return c, badConfig("Metadata must have at most 256 bytes")
	}
	c.Window = cmp.Or(c.Window, defaultWindow)
	c.Overlap = cmp.Or(c.Overlap, defaultOverlap)
	c.KeepAlive = cmp.Or(c.KeepAlive, defaultKeepAlive)
	c.Probe = cmp.Or(c.Probe, defaultProbe)
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return c, checkWindow(c.Window)
}
