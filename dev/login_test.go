package dev_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/transport"
)

// start serves a login for a match server at players, and returns the login's address.
func start(t *testing.T, c dev.Config, players netip.AddrPort) (l *dev.Login, address string) {
	t.Helper()
	l, err := dev.NewLogin(c)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(players) }()
	t.Cleanup(func() {
		l.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) { // "The error is net.ErrClosed after Close."
			t.Errorf("Serve: %v", err)
		}
	})
	return l, l.Addr().String()
}

// A player signs in and joins under the name that it has given, twice with the same configuration:
// "whenever the client needs a token it asks the Login for a fresh one".
func TestJoin(t *testing.T) {
	t.Parallel()
	l, err := dev.NewLogin(dev.Config{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	server, err := transport.Listen("127.0.0.1:0", l.Config())
	if err != nil {
		t.Fatal(err)
	}
	go l.Serve(server.Addr()) //nolint:errcheck // ends with Close
	defer l.Close()
	joined := make(chan string, 2)
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(transport.Handler{Join: func(p *transport.Player) { joined <- p.Session().Subject() }})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	address, config, err := dev.SignIn(ctx, l.Addr().String(), "alice & bob")
	if err != nil || address != server.Addr().String() {
		t.Fatal(address, err)
	}
	for range 2 {
		client, err := transport.Dial(ctx, address, config)
		if err != nil {
			t.Fatal(err)
		}
		if name := <-joined; name != "alice & bob" {
			t.Errorf("joined as %q", name)
		}
		client.Close()
	}
	server.Close()
	<-served
}

// "Unless Public is set it must be a loopback one."
func TestPublic(t *testing.T) {
	t.Parallel()
	if _, err := dev.NewLogin(dev.Config{Address: ":0"}); !errors.Is(err, dev.ErrConfig) || !strings.Contains(err.Error(), "Address: other machines") {
		t.Errorf("%v", err)
	}
	if _, err := dev.NewLogin(dev.Config{Address: "nowhere"}); !errors.Is(err, dev.ErrConfig) || !strings.Contains(err.Error(), "Address") {
		t.Errorf("%v", err)
	}
	players := netip.MustParseAddrPort("[::]:7777")
	for _, c := range []struct {
		public bool
		host   string
		want   string // in the answer
	}{
		{false, "127.0.0.1:7790", `"address":"127.0.0.1:7777"`},
		{false, "localhost", `"address":"localhost:7777"`},
		{false, "[::1]:7790", `"address":"[::1]:7777"`},
		{false, "evil.example:7790", "loopback address only"},
		{true, "192.0.2.7:7790", `"address":"192.0.2.7:7777"`},
		{true, "box.lan:7790", `"address":"box.lan:7777"`},
	} {
		_, address := start(t, dev.Config{Address: "127.0.0.1:0", Public: c.public}, players)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/?name=alice", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = c.host
		if got := body(t, r); !strings.Contains(got, c.want) {
			t.Errorf("public %v, Host %s: %s, want %s", c.public, c.host, got, c.want)
		}
	}
}

func body(t *testing.T, r *http.Request) string {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Errors of SignIn name the login and what to do.
func TestSignInFails(t *testing.T) {
	t.Parallel()
	_, address := start(t, dev.Config{Address: "127.0.0.1:0"}, netip.MustParseAddrPort("127.0.0.1:7777"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := http.Server{Handler: http.NotFoundHandler()}
	go other.Serve(l)
	defer other.Close()
	nobody := "127.0.0.1:" + testkit.FreePort(t)
	for _, c := range []struct{ login, name, want string }{
		{address, "", "give a name"},
		{l.Addr().String(), "alice", "404"},
		{nobody, "alice", "is the server running?"},
	} {
		_, _, err := dev.SignIn(t.Context(), c.login, c.name)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.login) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// "for localhost, 127.0.0.1, ::1 and hosts, which are names or IP addresses, and good for 30 days"
func TestCertificate(t *testing.T) {
	t.Parallel()
	c, err := dev.NewCertificate("play.example", "192.0.2.7", "")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	for name, good := range map[string]bool{
		"play.example": true, "192.0.2.7": true, "localhost": true, "127.0.0.1": true, "::1": true, "evil.example": false, "192.0.2.8": false,
	} {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if days := time.Until(leaf.NotAfter).Hours() / 24; days < 29.9 || days > 30 {
		t.Errorf("good for %v days", days)
	}
}
