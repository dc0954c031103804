package identity_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
	"github.com/sallyport/sallyport/internal/lab/lateness"
)

// stream is a response that goes on until the connection ends.
var stream = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		io.WriteString(w, "x\n")
		w.(http.Flusher).Flush()
		time.Sleep(5 * time.Millisecond)
	}
})

// follow reads a stream in the background; ended is closed once it has ended.
func follow(t *testing.T, s *identity.Source, url string) (ended chan struct{}) {
	t.Helper()
	tr := s.Transport(identity.GameState)
	t.Cleanup(tr.CloseIdleConnections)
	r, err := (&http.Client{Transport: tr}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(r.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		defer r.Body.Close()
		io.Copy(io.Discard, r.Body)
	}()
	return ended
}

// "is closed when the certificate of either end expires": the client's, here renewed in time, so that a next connection
// is let in.
func TestExpiresDuringConnection(t *testing.T) {
	t.Parallel()
	for _, short := range []string{"client", "server"} {
		t.Run(short, func(t *testing.T) {
			t.Parallel()
			a := identitytest.New(t)
			life := func(who string) {
				a.SetLife(time.Hour)
				if who == short {
					a.SetLife(1500 * time.Millisecond)
				}
			}
			life("server")
			server := a.Source(t, identity.GameState.Path())
			life("client")
			client := a.Source(t, identity.Operator.Path())
			a.SetLife(time.Hour)
			expires := min(server.Status().NotAfter.UnixNano(), client.Status().NotAfter.UnixNano())
			url := serve(t, server, server.Require(identity.ReadStats, stream))
			ended := follow(t, client, url)
			a.Rotate()
			soon(t, "rotation", func() bool { return client.Status().Updates > 1 && server.Status().Updates > 1 })
			select {
			case <-ended:
				if early := time.Duration(expires - time.Now().UnixNano()); early > 0 {
					t.Errorf("the connection ended %v before the certificate", early)
				}
			case <-time.After(time.Until(time.Unix(0, expires).Add(5 * time.Second))):
				t.Error("the connection outlived the certificate")
			}
			again := follow(t, client, url)
			soon(t, "one connection at each end", func() bool {
				return client.Status().Connections == 1 && server.Status().Connections == 1
			})
			client.Close()
			<-again
		})
	}
}

// "The client ends the connection when either certificate expires": its own one, too, at a server that looks at
// certificates at the beginning only.
func TestClientEndsByItself(t *testing.T) {
	t.Parallel()
	a := identitytest.New(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", a.Source(t, identity.GameState.Path()).ServerTLS())
	if err != nil {
		t.Fatal(err)
	}
	s := http.Server{Handler: stream, ReadHeaderTimeout: time.Minute}
	defer s.Close()
	go s.Serve(l)
	a.SetLife(1500 * time.Millisecond)
	client := a.Source(t, identity.Operator.Path())
	expires := client.Status().NotAfter
	ended := follow(t, client, "https://"+l.Addr().String())
	select {
	case <-ended:
		if early := time.Until(expires); early > 0 {
			t.Errorf("the connection ended %v before the certificate", early)
		}
	case <-time.After(time.Until(expires.Add(5 * time.Second))):
		t.Error("the connection outlived the certificate")
	}
}

// "and as soon as the peer fails a check above because the bundle or the Policy has changed", with a line in the audit.
func TestDistrustDuringConnection(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(t *testing.T, a *identitytest.Authority, s *identity.Source, f identity.Files)
		cause  identity.Refusal
	}{
		"denied": {func(t *testing.T, a *identitytest.Authority, s *identity.Source, _ identity.Files) {
			if err := s.SetPolicy(identity.Policy{Denied: []string{a.ID(identity.Operator.Path())}}); err != nil {
				t.Error(err)
			}
		}, identity.Denied},
		"no permission left": {func(t *testing.T, _ *identitytest.Authority, s *identity.Source, _ identity.Files) {
			if err := s.SetPolicy(identity.Policy{Narrow: map[identity.Role]identity.Permissions{identity.Operator: 0}}); err != nil {
				t.Error(err)
			}
		}, identity.WrongRole},
		"authority retired": {func(t *testing.T, a *identitytest.Authority, _ *identity.Source, f identity.Files) {
			a.ReplaceAuthority()
			a.Retire()
			a.Write(t, f, a.Issue(identity.GameState.Path())) // the server alone has heard of it
		}, identity.UnknownIssuer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w witness
			a := identitytest.New(t)
			f := a.Files(t, identity.GameState.Path())
			server := a.Source(t, identity.GameState.Path(), w.watch, func(c *identity.Config) { c.Files = f })
			client := a.Source(t, identity.Operator.Path())
			ended := follow(t, client, serve(t, server, server.Require(identity.ReadStats, stream)))
			tc.change(t, a, server, f)
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Fatal("the connection goes on")
			}
			if e := w.all(audit.Deny); len(e) != 1 || e[0].Cause != tc.cause.String() || e[0].Operation != "connection closed" {
				t.Errorf("audit: %+v", e)
			}
		})
	}
}

// A new authority takes over without a pause: first it is in every bundle, then it signs, then the old one goes.
func TestAuthorityIsReplaced(t *testing.T) {
	t.Parallel()
	a := identitytest.New(t)
	var w witness
	server := a.WorkloadSource(t, identity.GameState.Path(), w.watch)
	client := a.WorkloadSource(t, identity.Operator.Path())
	ended := follow(t, client, serve(t, server, server.Require(identity.ReadStats, stream)))
	a.ReplaceAuthority()
	a.Rotate()
	soon(t, "both have the new authority", func() bool { return server.Status().Updates > 1 && client.Status().Updates > 1 })
	select {
	case <-ended:
		t.Errorf("the connection ended although both authorities are trusted: %s", w.log.String())
	case <-time.After(100 * time.Millisecond):
	}
}

// Authorize looks again at each request: a connection of ServerTLS alone is not closed, and its peer is refused from then
// on.
func TestAuthorizeLooksAgain(t *testing.T) {
	t.Parallel()
	var w witness
	a := identitytest.New(t)
	server := a.Source(t, identity.GameState.Path(), w.watch)
	l, err := tls.Listen("tcp", "127.0.0.1:0", server.ServerTLS())
	if err != nil {
		t.Fatal(err)
	}
	s := http.Server{Handler: server.Require(identity.ReadStats, handler), ReadHeaderTimeout: time.Minute}
	defer s.Close()
	go s.Serve(l)
	tr := a.Source(t, identity.Operator.Path()).Transport(identity.GameState)
	defer tr.CloseIdleConnections()
	c := http.Client{Transport: tr}
	for i, want := range []int{200, 403} {
		r, err := c.Get("https://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("request %d: %d, want %d", i, r.StatusCode, want)
		}
		if err := server.SetPolicy(identity.Policy{Denied: []string{a.ID(identity.Operator.Path())}}); err != nil {
			t.Fatal(err)
		}
	}
	if o := w.all(audit.Operate); len(o) != 1 || o[0].Actor != a.ID(identity.Operator.Path()) || o[0].Operation != "read stats" {
		t.Errorf("%+v", o)
	}
	if d := w.all(audit.Deny); len(d) != 1 || d[0].Cause != "denied" || d[0].Operation != "read stats" {
		t.Errorf("%+v", d)
	}
	// Without TLS nobody is anybody.
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://127.0.0.1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Authorize(r, identity.ReadStats); err != identity.NoCertificate {
		t.Error(err)
	}
}

// After Close there are no connections, and a listener makes none.
func TestClose(t *testing.T) {
	t.Parallel()
	a := identitytest.New(t)
	server, client := a.Source(t, identity.GameState.Path()), a.Source(t, identity.Operator.Path())
	url := serve(t, server, server.Require(identity.ReadStats, stream))
	ended := follow(t, client, url)
	server.Close()
	<-ended
	if status, _ := get(client, url, identity.GameState); status != 0 {
		t.Error("answered after Close")
	}
	if n := server.Status().Connections; n != 0 {
		t.Errorf("%d connections", n)
	}
	if err := server.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

// No call fails while the certificates of both ends change each second and are good for three: on connections that are
// kept, and on new ones. Where the machine stops the process for a second, the calls until the next that succeeds say nothing.
func TestRotationUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 5 s: three lives of a certificate")
	}
	t.Parallel()
	a := identitytest.New(t)
	a.SetLife(3 * time.Second)
	server := a.WorkloadSource(t, identity.GameState.Path())
	services := []*identity.Source{a.WorkloadSource(t, identity.Operator.Path()), a.Source(t, identity.Analytics.Path())}
	url := serve(t, server, server.Require(identity.ReadStats, handler))
	a.RotateEvery(time.Second)
	// A machine that keeps the process waiting for longer than stall may keep it from renewing a certificate.
	const stall = time.Second
	late := lateness.Watch{Least: stall}
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { late.Run(ctx) })
	defer watching.Wait()
	defer cancel()
	var calls, connections, excused atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(5 * time.Second)
	const fewest = 4 // certificates
	enough := func() bool {
		over := time.Since(end)
		return over >= 0 && server.Status().Updates >= fewest || over > 20*time.Second
	}
	for i := range 8 {
		tr := services[i%2].Transport(identity.GameState)
		dial := tr.DialTLSContext
		tr.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			connections.Add(1)
			return dial(ctx, network, address)
		}
		tr.DisableKeepAlives = i < 4
		c := http.Client{Transport: tr, Timeout: 10 * time.Second}
		wg.Go(func() {
			defer tr.CloseIdleConnections()
			for last := time.Now(); !enough(); {
				r, err := c.Get(url)
				if err == nil {
					_, err = io.Copy(io.Discard, r.Body)
					r.Body.Close()
					if r.StatusCode != http.StatusOK {
						err = errors.Join(err, errors.New(r.Status))
					}
				}
				if err != nil {
					failed := time.Now()
					time.Sleep(2 * lateness.Nap)
					if late.Within(last, failed) == 0 {
						t.Errorf("call %d: %v", calls.Load(), err)
						return
					}
					excused.Add(1)
					continue
				}
				calls.Add(1)
				last = time.Now()
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	if server.Status().Updates < fewest || calls.Load() < 100 {
		t.Errorf("%d certificates, %d calls: too few to say anything", server.Status().Updates, calls.Load())
	}
	t.Logf("%d calls on %d connections, %d certificates of the server, %d failed after the machine had stopped",
		calls.Load(), connections.Load(), server.Status().Updates, excused.Load())
}

// Sources in use from many goroutines at once, for the race detector.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	a := identitytest.New(t)
	server, client := a.Source(t, identity.GameState.Path()), a.Source(t, identity.Operator.Path())
	url := serve(t, server, server.Require(identity.ReadStats, handler))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if status, body := get(client, url, identity.GameState); status != 200 && !strings.Contains(body, "EOF") {
				t.Errorf("%d %s", status, body)
			}
			a.Rotate()
			server.Status()
			if err := server.SetPolicy(identity.Policy{Denied: []string{a.ID(fmt.Sprintf("/role/auth/%d", i))}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
