package websocket

import (
	"crypto/tls"
	"errors"
	"net/http"
	"testing"
)

// "A request with an Origin that the server does not expect MUST be refused." PROTOCOL.md 9.8: whatever else it says, and
// however it is written, since a browser writes an origin in one way (RFC 6454, section 6.1).
func TestOrigins(t *testing.T) {
	t.Parallel()
	l := &Listener{config: Config{Origins: []string{site}, Certificate: func() *tls.Certificate { return nil }}}
	for _, offers := range []string{Subprotocol, SessionSubprotocol} {
		for _, c := range []struct {
			origins []string
			taken   bool
		}{
			{[]string{site}, true},
			{[]string{site, site}, false},
			{[]string{site, "https://evil.example"}, false},
			{[]string{"https://evil.example", site}, false},
			{[]string{site + " https://evil.example"}, false},
			{[]string{site + ", https://evil.example"}, false},
			{[]string{"", "https://evil.example"}, false},
			{[]string{""}, false},
			{[]string{"null"}, false},
			{[]string{"HTTPS://PLAY.EXAMPLE.COM"}, false},
			{[]string{site + ":443"}, false},
			{[]string{site + ":8443"}, false},
			{[]string{site + "."}, false},
			{[]string{site + "/"}, false},
			{[]string{site + ".evil.example"}, false},
			{[]string{"https://play.example.com@evil.example"}, false},
			{[]string{"http://play.example.com"}, false},
		} {
			r := &http.Request{Method: http.MethodGet, RemoteAddr: "198.51.100.7:4000", TLS: &tls.ConnectionState{}, Header: http.Header{
				"Connection": {"upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {offers}, "Origin": c.origins,
			}}
			if _, _, status := l.judge(r); (status == 0) != c.taken || !c.taken && status != http.StatusForbidden {
				t.Errorf("%s from %q: %d", offers, c.origins, status)
			}
		}
	}
}

// An origin that no browser writes so is an error, not a site whose players stay outside.
func TestOriginsOfConfig(t *testing.T) {
	t.Parallel()
	for origin, ok := range map[string]bool{
		site: true, site + ":8443": true, "http://localhost:8080": true, "http://[::1]:8080": true, "https://xn--bcher-kva.example": true, "capacitor://localhost": true,
		site + "/": false, "play.example.com": false, "null": false, "*": false, "https://*.example.com": false,
		site + ":443": false, "http://localhost:80": false, "https://Play.example.com": false, "HTTPS://play.example.com": false,
		"https://user@play.example.com": false, site + "?": false, site + ":": false, "https://bücher.example": false, "": false,
	} {
		_, err := Config{Origins: []string{origin}}.WithDefaults()
		if ok != (err == nil) || err != nil && !errors.Is(err, ErrConfig) {
			t.Errorf("%q: %v", origin, err)
		}
	}
}
