package token

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"time"
)

// RemoteConfig says where keys are published and how often to ask. Only URL and Algorithm are
// required; a zero duration or number means the default of that
// name, and a negative one is an error.
type RemoteConfig struct {
	URL       string    // of the JWK set: https, or http to this host (localhost, 127.0.0.0/8, ::1)
	Algorithm Algorithm // RS256, ES256 or EdDSA: only keys for it are used

	// Transport carries the fetches; nil means a connection for each, with the system's authorities
	// and proxies. Redirects are followed on the same host alone.
	Transport http.RoundTripper

	// MinRefresh and MaxRefresh bound the time between two background fetches. In between,
	// Cache-Control of the answer decides; without it MaxRefresh holds. Each wait is up to a tenth
	// shorter, at random, so that a fleet does not ask all at once. Zero means 5 minutes and 1 hour.
	MinRefresh, MaxRefresh time.Duration

	MaxAge  time.Duration // how long keys are trusted after the last successful fetch; more than MaxRefresh
	Timeout time.Duration // of one fetch

	// UnknownEvery and UnknownBurst are the budget of fetches that unknown names of keys may cause.
	UnknownEvery time.Duration
	UnknownBurst int

	// OnFetch, when set, is told of every fetch. It is called from the fetch's goroutine, before
	// the outcome is used: it must return soon and must not call the RemoteKeys.
	OnFetch func(Fetch)
}

// A Fetch is one request for a key set, and its outcome.
type Fetch struct {
	Took time.Duration
	Keys int   // keys for the algorithm, if Err is nil
	Err  error // matches ErrUnavailable and has a fixed text; the error it wraps may quote the provider
}

// complete returns a copy of c with its zero values filled in, or the reason why c is invalid.
func (c RemoteConfig) complete() (RemoteConfig, error) {
	c.MinRefresh = cmp.Or(c.MinRefresh, defaultMinRefresh)
	c.MaxRefresh = cmp.Or(c.MaxRefresh, defaultMaxRefresh)
	c.MaxAge = cmp.Or(c.MaxAge, DefaultMaxAge)
	c.Timeout = cmp.Or(c.Timeout, DefaultFetchTimeout)
	c.UnknownEvery = cmp.Or(c.UnknownEvery, DefaultUnknownEvery)
	c.UnknownBurst = cmp.Or(c.UnknownBurst, DefaultUnknownBurst)
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	switch {
	case !safeURL(c.URL):
		return c, withDetail(ErrConfig, "URL must be https, or http on this host, without user or fragment")
	case c.Algorithm == HS256 || !c.Algorithm.known():
		return c, withDetail(ErrConfig, "Algorithm must be RS256, ES256 or EdDSA")
	case c.MinRefresh < time.Second || c.MinRefresh > c.MaxRefresh || c.MaxRefresh >= c.MaxAge:
		return c, withDetail(ErrConfig, "MinRefresh, MaxRefresh and MaxAge must rise in this order, from 1 s")
	case c.Timeout < 0 || c.UnknownEvery < 0 || c.UnknownBurst < 0:
		return c, withDetail(ErrConfig, "Timeout, UnknownEvery and UnknownBurst must not be negative")
	}
	return c, nil
}

// safeURL reports whether keys from s cannot be replaced in transit.
func safeURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
