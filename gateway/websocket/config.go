package websocket

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// ErrConfig is matched by errors about a configuration; their text names the field.
var ErrConfig = errors.New("websocket: configuration")

// Config says who may connect. The zero value works.
type Config struct {
	// Origins are the web sites whose pages may connect, such as "https://play.example.com", as
	// browsers write them: in lower case, with the port only if it is not the scheme's own. A program
	// other than a browser sends no origin, and may always connect. Empty means that no browser may.
	Origins []string

	// Certificate admits browsers, which have no DTLS, by SessionSubprotocol: for each of them a relay here
	// makes the DTLS connection to the match server, which has to present this certificate. It is called for
	// each browser, must not block and must not return nil. Origins then has to name the sites. Whoever
	// terminates the browser's TLS, this process or a proxy in front, can act as the player: PROTOCOL.md
	// 9.9. A server that demands client certificates takes no browsers. Nil means that browsers are refused.
	Certificate func() *tls.Certificate

	// Proxies are the addresses of proxies in front, whose X-Forwarded-For is believed: the last
	// address in it that is no proxy's is the player's. A request from a proxy without such an address
	// is refused. Empty means that there are none, and that the header is ignored. Limits for each
	// source, here and in the match server, and fingerprints go by that address.
	Proxies []netip.Prefix

	// MaxConnections and MaxPerSource are how many WebSockets there may be at once, in all and for
	// each IPv4 address or IPv6 /64; NewServer takes as many more connections that are no WebSockets
	// yet. An IPv6 /56 has at most four times as many as a /64, and neither that nor a /48 has more than
	// half of all, unless MaxPerSource is more. When MaxConnections are there, one without a session gives
	// way to a newcomer: the oldest of the IPv4 address or IPv6 /48 with most of these; when MaxPerSource
	// are, the oldest of the newcomer's source. PROTOCOL.md 9.8 says which of them have time to sign in.
	// Zero means DefaultMaxConnections and DefaultMaxPerSource; negative is an error.
	MaxConnections int
	MaxPerSource   int

	// Rate is how many datagrams a second a connection may bring; more are dropped. Zero means
	// DefaultRate; less than 10 is an error.
	Rate int

	// Idle is how long nothing may come from a connection, or go to it, until it is closed. Zero means
	// DefaultIdle; less than a second is an error.
	Idle time.Duration
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the field.
func (c Config) WithDefaults() (Config, error) {
	c.MaxConnections, c.MaxPerSource = cmp.Or(c.MaxConnections, DefaultMaxConnections), cmp.Or(c.MaxPerSource, DefaultMaxPerSource)
	c.Rate, c.Idle = cmp.Or(c.Rate, DefaultRate), cmp.Or(c.Idle, DefaultIdle)
	switch {
	case c.MaxConnections < 0 || c.MaxPerSource < 0:
		return c, badConfig("MaxConnections and MaxPerSource must not be negative")
	case c.Rate < 10:
		return c, badConfig("Rate must be 10 or more")
	case c.Idle < time.Second:
		return c, badConfig("Idle must be a second or more")
	case c.Certificate != nil && len(c.Origins) == 0:
		return c, badConfig("Origins must name the sites whose pages may connect, since Certificate lets browsers in")
	}
	for _, o := range c.Origins {
		if !isOrigin(o) {
			return c, badConfig("Origins: %q must be written as browsers do: a scheme, a host in lower case and ASCII, and a port that is not the scheme's own, such as https://play.example.com", o)
		}
	}
	for _, p := range c.Proxies {
		if !p.IsValid() {
			return c, badConfig("Proxies: an invalid prefix")
		}
	}
	return c, nil
}

// isOrigin reports whether a browser may write an origin so (RFC 6454, section 6.1): another one lets nobody in.
func isOrigin(o string) bool {
	u, err := url.Parse(o)
	if err != nil || u.Scheme == "" || u.Host == "" || o != u.Scheme+"://"+u.Host {
		return false
	}
	odd := strings.ContainsFunc(o, func(r rune) bool { return r == '*' || r > unicode.MaxASCII || unicode.IsUpper(r) })
	port := u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" || strings.HasSuffix(o, ":")
	return !odd && !port
}

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}
