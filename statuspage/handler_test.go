package statuspage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// server has no players, and counts how often it is looked at.
type server struct {
	visits int
	err    error
	bans   []session.Ban
}

func (s *server) Stats() transport.Stats {
	return transport.Stats{Sessions: 3, Drops: map[string]uint64{"tag": 1}}
}

func (s *server) Visit(context.Context, func(*transport.Player) bool) error {
	s.visits++
	return s.err
}

func (s *server) Bans(most int) []session.Ban { return s.bans[:min(most, len(s.bans))] }

// Addresses of the listener that a request has come to.
var (
	loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7780}
	outside  = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7780}
)

// ask puts a request to a handler as a browser's or curl's would come.
func ask(h http.Handler, method, path, body string, header map[string]string) *httptest.ResponseRecorder {
	return askAt(loopback, h, method, path, body, header)
}

// askAt is ask at an address of the machine.
func askAt(at net.Addr, h http.Handler, method, path, body string, header map[string]string) *httptest.ResponseRecorder {
	ctx := context.WithValue(context.Background(), http.LocalAddrContextKey, at)
	r := httptest.NewRequestWithContext(ctx, method, "http://127.0.0.1:7780"+path, strings.NewReader(body))
	for name, value := range header {
		r.Header.Set(name, value)
	}
	if host := header["Host"]; host != "" {
		r.Host = host
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// readOnly returns the page of a server without anything else.
func readOnly(t *testing.T, configure ...func(*Config)) http.Handler {
	t.Helper()
	c := Config{Server: &server{}}
	for _, f := range configure {
		f(&c)
	}
	h, err := Handler(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// operated returns the page of a server that Local may act on.
func operated(t *testing.T, r Revoker) http.Handler {
	t.Helper()
	return readOnly(t, func(c *Config) { c.Authorize, c.Revoker, c.Issuer = Local, r, "own" })
}

// "Errors match ErrConfig", and name the field.
func TestConfig(t *testing.T) {
	t.Parallel()
	for field, c := range map[string]Config{
		"Server":       {},
		"Revoker":      {Server: &server{}, Authorize: Local},
		"Authorize":    {Server: &server{}, Revoker: &notebook{}},
		"Panel.Script": {Server: &server{}, Panel: &Panel{Script: "'</SCRIPT>'"}},
	} {
		if _, err := Handler(c); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field+" ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// A transport.Server is all that the page needs.
func TestInterfaces(t *testing.T) {
	t.Parallel()
	var s any = (*transport.Server)(nil)
	if _, ok := s.(Server); !ok {
		t.Error("no Server")
	}
	if _, ok := s.(Revoker); !ok {
		t.Error("no Revoker")
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	h := readOnly(t, func(c *Config) {
		c.Panel = &Panel{Title: "<b>", Script: "function panel() {}", Data: func() any { return "<b>" }}
	})
	w := ask(h, "GET", "/state", "", nil)
	var got state
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Stats.Sessions != 3 || got.Stats.Drops["tag"] != 1 || got.Players == nil || got.Panel != "<b>" {
		t.Errorf("%v: %s", err, w.Body)
	}
	if page := ask(h, "GET", "/", "", nil).Body.Bytes(); bytes.Contains(page, []byte("<b>")) || !bytes.Contains(page, []byte("<h2>&lt;b&gt;</h2>")) {
		t.Error("the panel's title is not escaped")
	}
	if bytes.Contains(w.Body.Bytes(), []byte("<b>")) {
		t.Error("a client's text could be taken for HTML")
	}
}

// "What holds for every answer: nothing is kept, framed, guessed at, or given to another site."
func TestHeaders(t *testing.T) {
	t.Parallel()
	h := operated(t, &notebook{})
	for _, path := range []string{"/", "/state", "/nowhere", "/live"} {
		w := ask(h, "GET", path, "", map[string]string{"Origin": "http://evil.example"})
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": "",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'sha256-", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy lacks %s", path, part)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s", path, policy)
		}
	}
}

// "One HTML file without a build step, which asks nobody but the server that it came from."
func TestPage(t *testing.T) {
	t.Parallel()
	w := ask(readOnly(t), "GET", "/", "", nil)
	body := w.Body.String()
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Errorf("%d %s", w.Code, w.Header())
	}
	for element, want := range map[string]int{"<script>": 1, "<style>": 1, "<script": 1, "<style": 1} {
		if n := strings.Count(body, element); n != want {
			t.Errorf("%d times %s: the policy admits one", n, element)
		}
	}
	for _, bad := range []string{"http:", "https:", "//cdn", "innerHTML", "outerHTML", "insertAdjacent", "eval(", " style=", " onclick="} {
		if strings.Contains(body, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	if n := strings.Count(body, "\n"); n > 400 {
		t.Errorf("%d lines", n)
	}
}

// "The Host of a request must be an IP address, localhost or one of Config.Hosts, so a name that was
// made to resolve to this machine (DNS rebinding) reads nothing."
func TestHost(t *testing.T) {
	t.Parallel()
	h := readOnly(t, func(c *Config) { c.Events, c.Hosts = &log{}, []string{"status.example"} })
	for host, good := range map[string]bool{
		"localhost": true, "localhost:7780": true, "127.0.0.1:7780": true, "[::1]:7780": true, "[::1]": true, "192.0.2.1:7780": true,
		"status.example": true, "STATUS.example:443": true,
		"evil.example": false, "evil.example:7780": false, "127.0.0.1.evil.example": false, "localhost.evil.example:7780": false,
		"status.example.evil.example": false, "2130706433": false, "0x7f000001": false,
	} {
		for _, path := range []string{"/", "/state", "/events"} {
			if path == "/events" && good {
				continue // lasts until the reader goes
			}
			w := ask(h, "GET", path, "", map[string]string{"Host": host})
			if (w.Code == http.StatusOK) != good {
				t.Errorf("Host %s, %s: %d", host, path, w.Code)
			}
		}
	}
}

// "Requests to a loopback address of this machine or a Unix socket are answered, others only with
// Config.Remote, except for /live and /ready."
func TestLoopback(t *testing.T) {
	t.Parallel()
	private, public := readOnly(t), readOnly(t, func(c *Config) { c.Remote = true })
	for _, c := range []struct {
		at              net.Addr
		private, public int
	}{{loopback, 200, 200}, {&net.UnixAddr{Name: "/run/status"}, 200, 200}, {outside, 403, 200}, {nil, 403, 200}} {
		for i, want := range []int{c.private, c.public} {
			h := []http.Handler{private, public}[i]
			for _, path := range []string{"/", "/state"} {
				if w := askAt(c.at, h, "GET", path, "", nil); w.Code != want {
					t.Errorf("at %v, %s: %d, want %d", c.at, path, w.Code, want)
				}
			}
			for _, path := range []string{"/live", "/ready"} {
				if w := askAt(c.at, h, "GET", path, "", map[string]string{"Host": "pod.example"}); w.Code != http.StatusOK {
					t.Errorf("at %v, %s: %d", c.at, path, w.Code)
				}
			}
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	h := readOnly(t, func(c *Config) { c.Metrics = metrics })
	if w := ask(h, "GET", "/metrics", "", nil); w.Code != http.StatusTeapot {
		t.Errorf("%d", w.Code)
	}
	if w := askAt(outside, h, "GET", "/metrics", "", nil); w.Code != http.StatusForbidden {
		t.Errorf("from elsewhere: %d", w.Code)
	}
	if w := ask(readOnly(t), "GET", "/metrics", "", nil); w.Code != http.StatusNotFound {
		t.Errorf("without: %d", w.Code)
	}
}

// stay is a session that a notebook knows.
type stay struct{ session.Session }

func (stay) Issuer() string  { return "other" }
func (stay) Subject() string { return "bob" }

// A browser hashes a script whose lines end as it has read them.
func TestNewlines(t *testing.T) {
	t.Parallel()
	policy := func(script string) string {
		h := readOnly(t, func(c *Config) { c.Panel = &Panel{Script: script} })
		return ask(h, "GET", "/", "", nil).Header().Get("Content-Security-Policy")
	}
	if got, want := policy("a()\r\nb()\rc()"), policy("a()\nb()\nc()"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
