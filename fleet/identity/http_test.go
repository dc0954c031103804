package identity_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
)

// serve starts an HTTP server of s, for callers of these roles, and returns its URL.
func serve(t *testing.T, s *identity.Source, h http.Handler, roles ...identity.Role) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(s.Listen(l, roles...))
	}()
	t.Cleanup(func() { server.Close(); <-done })
	return "https://" + l.Addr().String()
}

// get returns status and body, or an error text.
func get(s *identity.Source, url string, roles ...identity.Role) (int, string) {
	tr := s.Transport(roles...)
	defer tr.CloseIdleConnections()
	r, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err.Error()
	}
	return r.StatusCode, string(b)
}

func hello(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }

var handler = http.HandlerFunc(hello)

func TestHTTP(t *testing.T) {
	t.Parallel()
	a := identitytest.New(t)
	server := a.WorkloadSource(t, identity.GameState.Path("eu-7"))
	url := serve(t, server, server.Require(identity.Drain, handler))
	if status, body := get(a.Source(t, identity.Operator.Path("zoe")), url, identity.GameState); status != 200 || body != "hello" {
		t.Errorf("operator: %d %s", status, body)
	}
	if status, body := get(a.Source(t, identity.Analytics.Path()), url, identity.GameState); status != 403 {
		t.Errorf("analytics: %d %s", status, body)
	}
	if status, body := get(a.Source(t, identity.Operator.Path()), url, identity.Auth); status != 0 {
		t.Errorf("expected another server: %d %s", status, body)
	}
	if status, body := get(a.Source(t, identity.Operator.Path()), url); status != 0 {
		t.Errorf("expected no server at all: %d %s", status, body)
	}
}
