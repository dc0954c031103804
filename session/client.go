package session

import (
	"cmp"
	"crypto/rand"
	"io"
	"time"

	"github.com/sallyport/sallyport/replay"
)

// ClientConfig says who a client is and how it behaves. The zero value, with a
// token, works.
type ClientConfig struct {
	// Fingerprint is what the client states of itself: 128 bytes each at most.
	Fingerprint Fingerprint
	// Scope is the match asked for; empty means the token's own.
	Scope string
	// Bearer sends the identity token in every datagram instead of a tag. The server must have Config.AllowBearer: one that
	// has not drops every datagram, and says nothing.
	Bearer bool
	// Unbound asks for binding mode none.
	Unbound bool
	// Window, Overlap and KeepAlive: zero means the defaults of this package.
	// KeepAlive is the longest time between two PINGs; while payloads flow there is
	// one in two fifths of it, to measure by.
	Window    int
	Overlap   time.Duration
	KeepAlive time.Duration
	// Probe is how long the server may be silent while payloads flow before it is
	// asked whether it is there; zero means DefaultProbe, negative means never.
	Probe time.Duration
	// Random is where nonces come from; nil means crypto/rand.
	Random io.Reader
}

// WithDefaults fills in what is zero and refuses what makes no sense.
func (c ClientConfig) WithDefaults() (ClientConfig, error) {
	c.Window = cmp.Or(c.Window, DefaultWindow)
	c.Overlap = cmp.Or(c.Overlap, DefaultOverlap)
	c.KeepAlive = cmp.Or(c.KeepAlive, DefaultKeepAlive)
	c.Probe = cmp.Or(c.Probe, DefaultProbe)
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if _, err := replay.Size(c.Window); err != nil {
		return c, errConfig
	}
	return c, nil
}

// ClientStats is what is known of a session's traffic, on all its connections.
type ClientStats struct {
	RTT    time.Duration // the last one measured; 0 before
	Jitter time.Duration // mean difference between one RTT and the next, as RFC 3550 6.4.1 smooths it
	// LostIn are datagrams that the server has sent and that have not come, or too
	// late; LostOut are the client's own, as the server said with the last PONG.
	LostIn, LostOut uint64
}
