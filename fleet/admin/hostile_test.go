package admin_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/internal/admintest"
	"github.com/sallyport/sallyport/transport"
)

// dialTLS opens a connection to the API as a service.
func dialTLS(t *testing.T, fleet *admintest.Fleet, match *admintest.Match, r identity.Role, protocols ...string) *tls.Conn {
	t.Helper()
	c := fleet.Services.Source(t, r.Path()).ClientTLS(identity.GameState)
	c.NextProtos = protocols
	conn, err := tls.Dial("tcp", match.Address, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) //nolint:errcheck // the server may have closed it
	return conn
}

// 1,000 requests a second of one service do not keep another one out, whatever they ask for.
func TestOneServiceKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t)
	match.Join(t, "alice")
	greedy, operator := fleet.Client(t, match, identity.Analytics), fleet.Client(t, match, identity.Operator)
	var refused, served atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a busy machine, under the race detector
	defer cancel()
	began, done := time.Now(), make(chan struct{})
	go func() {
		defer close(done)
		slots := make(chan struct{}, 64)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			<-tick.C
			slots <- struct{}{}
			go func() {
				defer func() { <-slots }()
				var err error
				if n%2 == 0 {
					_, err = greedy.Stats(ctx)
				} else {
					_, err = greedy.Keys(ctx) // which the role may not
				}
				if label(err) == "rate" {
					refused.Add(1)
				} else {
					served.Add(1)
				}
			}()
		}
		for range cap(slots) {
			slots <- struct{}{}
		}
	}()
	asked := 0
	for ; ctx.Err() == nil && (refused.Load() < 100 || asked < 3); asked++ {
		begun := time.Now()
		if page, err := operator.Sessions(t.Context(), admin.SessionQuery{}); err != nil || len(page.Sessions) != 1 {
			t.Errorf("the operator: %+v, %v", page, err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the operator waited %v", took)
		}
		time.Sleep(100 * time.Millisecond)
	}
	cancel()
	<-done
	// 20 a second and 40 at once; and those that the end has cut off
	most := 40 + int64(20*time.Since(began).Seconds()) + 64
	if served.Load() > most || refused.Load() < 100 || asked < 3 {
		t.Errorf("served %d, at most %d; refused %d, operator asked %d times", served.Load(), most, refused.Load(), asked)
	}
	t.Logf("served %d, refused %d, operator asked %d times", served.Load(), refused.Load(), asked)
}

// Connections that send a header byte by byte, or nothing, keep nobody out, and end.
func TestSlowloris(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t)
	var slow []net.Conn
	for range 40 { // with a certificate, in the middle of a request
		c := dialTLS(t, fleet, match, identity.Analytics)
		if _, err := io.WriteString(c, "GET /v1/stats HTTP/1.1\r\nHost: x\r\nX-A: "); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	for range 100 { // strangers, who never say hello
		c, err := net.Dial("tcp", match.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // the server closes it
		slow = append(slow, c)
	}
	body := dialTLS(t, fleet, match, identity.Operator) // a body that does not come
	if _, err := io.WriteString(body, "POST /v1/kick HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	slow = append(slow, body)
	operator := fleet.Client(t, match, identity.Operator, "zoe")
	for range 3 {
		if _, err := operator.Stats(t.Context()); err != nil {
			t.Error(err)
		}
	}
	ended := make(chan error, len(slow))
	for _, c := range slow {
		go func() {
			c.SetReadDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // a read fails then
			_, err := io.Copy(io.Discard, c)
			if n, ok := err.(net.Error); ok && n.Timeout() {
				ended <- err
				return
			}
			ended <- nil
		}()
	}
	for range slow {
		if err := <-ended; err != nil {
			t.Errorf("a slow connection is still there: %v", err)
		}
	}
}

// What is no request, or more than one, is refused by net/http; what it lets through is one
// request.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t, func(_ *transport.Config, c *admin.Config) { c.PeerPerSecond = 1000 })
	for name, c := range map[string]struct {
		request string
		status  int // of the first answer
		more    bool
	}{
		"two lengths":              {"POST /v1/lift HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, false},
		"length and chunks":        {"POST /v1/lift HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, true}, // of no bytes
		"chunks twice":             {"POST /v1/lift HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501, false},
		"a space before the colon": {"GET /v1/stats HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n", 400, false},
		"no host":                  {"GET /v1/stats HTTP/1.1\r\n\r\n", 400, false},
		"two hosts":                {"GET /v1/stats HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, false},
		"a method of its own":      {"EVIL /v1/stats HTTP/1.1\r\nHost: x\r\n\r\n", 403, true},
		"HEAD":                     {"HEAD /v1/stats HTTP/1.1\r\nHost: x\r\n\r\n", 403, true},
		"OPTIONS":                  {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 403, true}, // net/http would answer it itself, without a limit or a line
		"TRACE":                    {"TRACE /v1/stats HTTP/1.1\r\nHost: x\r\n\r\n", 403, true},
		"CONNECT":                  {"CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n", 403, true},
		"POST to read":             {"POST /v1/stats HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 403, true},
		"GET to act":               {"GET /v1/kick HTTP/1.1\r\nHost: x\r\n\r\n", 403, true},
		"an escape":                {"GET /v1/%73tats HTTP/1.1\r\nHost: x\r\n\r\n", 403, true},
		"dots":                     {"GET /v1/x/../stats HTTP/1.1\r\nHost: x\r\n\r\n", 403, true},
		"a slash too many":         {"GET //v1/stats HTTP/1.1\r\nHost: x\r\n\r\n", 403, true},
		"a slash behind":           {"GET /v1/stats/ HTTP/1.1\r\nHost: x\r\n\r\n", 403, true},
		"upper case":               {"GET /V1/stats HTTP/1.1\r\nHost: x\r\n\r\n", 403, true},
		"an absolute form":         {"GET http://other/v1/stats HTTP/1.1\r\nHost: x\r\n\r\n", 200, true},
		"a GET with a body":        {"GET /v1/stats HTTP/1.1\r\nHost: x\r\nContent-Length: 24\r\n\r\nGET /v1/keys HTTP/1.1\r\n\r\n", 400, true},
		"parameters of a POST":     {"POST /v1/lift?subject=bob HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{\"subject\":\"alice\"}", 400, true},
		"an empty one of a POST":   {"POST /v1/drain?& HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n", 400, true},
		"a semicolon":              {"GET /v1/sessions?limit=1;after=2 HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
		"a long header":            {"GET /v1/stats HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 1<<16) + "\r\n\r\n", 431, false},
		"HTTP 0.9":                 {"GET /v1/stats\r\n\r\n", 400, false},
		"no HTTP":                  {"\x16\x03\x01\r\n\r\n", 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dialTLS(t, fleet, match, identity.Operator)
			conn.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // a read fails then
			// Behind it stands a request that is answered if the connection goes on, once.
			go io.WriteString(conn, c.request+"GET /v1/keys HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") //nolint:errcheck // the answer tells
			r := bufio.NewReader(conn)
			method, _, _ := strings.Cut(c.request, " ")
			first, err := http.ReadResponse(r, &http.Request{Method: method})
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, first.Body) //nolint:errcheck // the next answer tells
			if first.StatusCode != c.status {
				t.Errorf("%s, want %d", first.Status, c.status)
			}
			answers := 0
			for {
				next, err := http.ReadResponse(r, nil)
				if err != nil {
					break
				}
				io.Copy(io.Discard, next.Body) //nolint:errcheck // the next answer tells
				answers++
			}
			if want := map[bool]int{true: 1, false: 0}[c.more]; answers != want {
				t.Errorf("%d answers behind it, want %d", answers, want)
			}
		})
	}
}

// A peer without a certificate, or of another fleet, gets no answer at all, and a revoked one none
// from then on; the audit has each.
func TestStrangers(t *testing.T) {
	t.Parallel()
	fleet, other := admintest.New(t), admintest.New(t)
	var source *identity.Source
	match := fleet.Match(t, func(_ *transport.Config, c *admin.Config) { source = c.Identity.(*identity.Source) })
	if _, err := other.Client(t, match, identity.Operator).Stats(t.Context()); err == nil {
		t.Error("an operator of another fleet was answered")
	}
	svid := other.Services.Issue(identity.Operator.Path())
	for name, certificates := range map[string][]tls.Certificate{
		"without a certificate": nil,
		"of another fleet":      {{Certificate: [][]byte{svid.Certificates[0].Raw}, PrivateKey: svid.PrivateKey}},
	} {
		// It does not look who the server is.
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certificates}}}
		if r, err := client.Get("https://" + match.Address + "/live"); err == nil {
			t.Errorf("%s: %s", name, r.Status)
		}
	}
	operator := fleet.Client(t, match, identity.Operator, "zoe")
	if _, err := operator.Stats(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := source.SetPolicy(identity.Policy{Denied: []string{fleet.Services.ID(identity.Operator.Path("zoe"))}}); err != nil {
		t.Fatal(err)
	}
	if _, err := operator.Stats(t.Context()); err == nil {
		t.Error("a denied operator was answered")
	}
	lines, _ := match.Audit.Since(0)
	text := fmt.Sprintf("%s", lines)
	for _, cause := range []string{"no certificate", "unknown issuer", "denied"} {
		if !strings.Contains(text, `"cause":"`+cause+`"`) {
			t.Errorf("the audit has no %q", cause)
		}
	}
}

// HTTP/2 is served, too, by the same rules.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t)
	c := fleet.Services.Source(t, identity.Operator.Path()).ClientTLS(identity.GameState)
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	for path, want := range map[string]int{"/v1/stats": http.StatusOK, "/v1/none": http.StatusForbidden} {
		r, err := (&http.Client{Transport: transport}).Get("https://" + match.Address + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close() //nolint:errcheck // not read
		if r.StatusCode != want || r.ProtoMajor != 2 {
			t.Errorf("%s: %s by %s", path, r.Status, r.Proto)
		}
	}
}

// An API that is mounted without TLS answers nobody.
func TestWithoutTLS(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := admin.NewServer(match.API)
	go server.Serve(l)   //nolint:errcheck // ended below
	defer server.Close() //nolint:errcheck // the test is over
	for _, path := range []string{"/live", "/v1/stats", "/openapi.yaml"} {
		r, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close() //nolint:errcheck // not read
		if r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
}

// A body that does not come over HTTP/2 holds its stream for no longer than one over HTTP/1, and the
// other streams of the connection go on.
func TestSlowBodyHTTP2(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t)
	c := fleet.Services.Source(t, identity.Operator.Path()).ClientTLS(identity.GameState)
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	begun := time.Now()
	ended := make(chan string, 10)
	for range cap(ended) {
		r, w := io.Pipe()
		defer w.Close()                     //nolint:errcheck // nobody reads it any more
		go io.WriteString(w, `{"subject":`) //nolint:errcheck // likewise
		go func() {
			q, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+match.Address+"/v1/kick", r)
			if err != nil {
				ended <- err.Error()
				return
			}
			q.Header.Set("Content-Type", "application/json")
			a, err := client.Do(q)
			if err != nil {
				ended <- ""
				return
			}
			a.Body.Close() //nolint:errcheck // not read
			ended <- map[bool]string{true: "", false: a.Status}[a.StatusCode/100 == 4]
		}()
	}
	for range 3 {
		a, err := client.Get("https://" + match.Address + "/v1/stats")
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close() //nolint:errcheck // not read
		if a.StatusCode != http.StatusOK || a.ProtoMajor != 2 {
			t.Errorf("%s by %s", a.Status, a.Proto)
		}
	}
	for range cap(ended) {
		if what := <-ended; what != "" {
			t.Error(what)
		}
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("they were held for %v", took)
	}
}
