package statuspage

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// ask puts a request to a handler as a browser's or curl's would come.
func ask(h http.Handler, method, path, body string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:7780"+path, strings.NewReader(body))
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

func newHandler(admin bool, r Revoker) http.Handler {
	state := &State{Admin: admin, Side: 65535, Players: []Player{{Session: 7, Platform: "<b>"}}}
	return Handler(Config{State: func() *State { return state }, Events: &log{}, Admin: admin, Revoker: r, Issuer: "own"})
}

func TestState(t *testing.T) {
	t.Parallel()
	w := ask(newHandler(false, nil), "GET", "/state", "", nil)
	var got State
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Players) != 1 || got.Players[0].Session != 7 {
		t.Errorf("%v: %s", err, w.Body)
	}
	if bytes.Contains(w.Body.Bytes(), []byte("<b>")) {
		t.Error("a client's text could be taken for HTML")
	}
}

// "What holds for every answer: nothing is kept, framed, guessed at, or given to another site."
func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/state", "/nowhere"} {
		w := ask(newHandler(true, nil), "GET", path, "", map[string]string{"Origin": "http://evil.example"})
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

// "One HTML file, no build step, no outside requests", and of at most 400 lines.
func TestPage(t *testing.T) {
	t.Parallel()
	w := ask(newHandler(true, nil), "GET", "/", "", nil)
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

// "The Host must be a loopback one, so a name that was made to resolve to this machine reads nothing."
func TestHost(t *testing.T) {
	t.Parallel()
	for host, loopback := range map[string]bool{
		"localhost": true, "localhost:7780": true, "127.0.0.1:7780": true, "[::1]:7780": true, "127.9.9.9": true,
		"evil.example": false, "evil.example:7780": false, "192.0.2.1:7780": false, "127.0.0.1.evil.example": false,
		"localhost.evil.example:7780": false, "0.0.0.0:7780": false,
	} {
		for _, path := range []string{"/", "/state", "/events"} {
			if path == "/events" && loopback {
				continue // lasts until the reader goes
			}
			w := ask(newHandler(true, nil), "GET", path, "", map[string]string{"Host": host})
			if (w.Code == http.StatusOK) != loopback {
				t.Errorf("Host %s, %s: %d", host, path, w.Code)
			}
		}
		if w := ask(newHandler(false, nil), "GET", "/state", "", map[string]string{"Host": host}); w.Code != http.StatusOK {
			t.Errorf("Host %s: %d where anybody may look", host, w.Code)
		}
	}
}
