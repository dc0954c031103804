package statuspage

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/session"
)

// notebook notes what it was asked to revoke.
type notebook struct{ asked []string }

func (n *notebook) RevokeSession(id uint32) bool {
	n.asked = append(n.asked, fmt.Sprint("session ", id))
	return id == 7
}

func (n *notebook) Revoke(r session.Revocation) (int, error) {
	n.asked = append(n.asked, r.Kind.String()+" "+r.Issuer+" "+r.Value)
	if r.Value == "full" {
		return 1, session.ErrRevocationsFull
	}
	return 2, nil
}

// operator is what the page and curl send.
var operator = map[string]string{"Content-Type": "application/json", AdminHeader: "revoke"}

// with is operator's headers, but for one.
func with(name, value string) map[string]string {
	h := maps.Clone(operator)
	h[name] = value
	return h
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body, asked, answer string
		code                int
	}{
		{`{"session": 7}`, "session 7", `{"revoked":1}`, 200},
		{`{"session": 8}`, "session 8", `{"revoked":0}`, 200},
		{`{"subject": "alice", "issuer": "other"}`, "subject other alice", `{"revoked":2}`, 200},
		{`{"subject": "alice"}`, "subject own alice", `{"revoked":2}`, 200},
		{`{"token_id": "t", "issuer": "other"}`, "token other t", `{"revoked":2}`, 200},
		{`{"token_id": "full"}`, "token own full", "MaxRevocations reached", 503},
		{`{}`, "", "exactly one", 400},
		{``, "", "exactly one", 400},
		{`[]`, "", "exactly one", 400},
		{`{"session": 0}`, "", "exactly one", 400},
		{`{"session": -1}`, "", "exactly one", 400},
		{`{"session": 4294967296}`, "", "exactly one", 400},
		{`{"session": "7"}`, "", "exactly one", 400},
		{`{"issuer": "own"}`, "", "exactly one", 400},
		{`{"session": 7, "subject": "alice"}`, "", "exactly one", 400},
		{`{"session": 7, "token_id": "t"}`, "", "exactly one", 400},
		{`{"subject": "alice", "token_id": "t"}`, "", "exactly one", 400},
		{`{"session": 7, "everybody": true}`, "", "exactly one", 400},
		{`{"session": 7} {"session": 8}`, "", "exactly one", 400},
		{`{"session": 7, "subject": "` + strings.Repeat(" ", maxRevoke) + `"}`, "", "exactly one", 400},
	} {
		var n notebook
		w := ask(newHandler(true, &n), "POST", "/revoke", c.body, operator)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.answer) || strings.Join(n.asked, ", ") != c.asked {
			t.Errorf("%.60s: %d %s asked %q, want %d %s asked %q", c.body, w.Code, w.Body, n.asked, c.code, c.answer, c.asked)
		}
	}
}

// "A revocation must be of type application/json and carry the header Sallyport-Admin […]; Origin and Sec-Fetch-Site,
// when sent, must be our own."
func TestRevokeForeign(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		header map[string]string
		code   int
	}{
		{"the page", with("Sec-Fetch-Site", "same-origin"), 200},
		{"the page in an old browser", with("Origin", "http://127.0.0.1:7780"), 200},
		{"curl with a charset", with("Content-Type", "application/json; charset=utf-8"), 200},
		{"another site", with("Sec-Fetch-Site", "cross-site"), 403},
		{"another port of this machine", with("Sec-Fetch-Site", "same-site"), 403},
		{"another site in an old browser", with("Origin", "https://evil.example"), 403},
		{"a sandboxed frame", with("Origin", "null"), 403},
		{"a rebound name", with("Host", "evil.example:7780"), 403},
		{"no header", map[string]string{"Content-Type": "application/json"}, 403},
		{"a form", with("Content-Type", "application/x-www-form-urlencoded"), 415},
		{"a form as text", with("Content-Type", "text/plain"), 415},
		{"no type", map[string]string{AdminHeader: "revoke"}, 415},
	} {
		var n notebook
		w := ask(newHandler(true, &n), "POST", "/revoke", `{"session": 7}`, c.header)
		if w.Code != c.code || (len(n.asked) > 0) != (c.code == http.StatusOK) {
			t.Errorf("%s: %d %s, revoked %q, want %d", c.name, w.Code, w.Body, n.asked, c.code)
		}
	}
	for _, method := range []string{"GET", "PUT", "OPTIONS"} {
		var n notebook
		if w := ask(newHandler(true, &n), method, "/revoke", `{"session": 7}`, operator); w.Code < 400 || len(n.asked) > 0 {
			t.Errorf("%s: %d, revoked %q", method, w.Code, n.asked)
		}
	}
}

// "Revocation exists only with Config.Admin."
func TestRevokeElsewhere(t *testing.T) {
	t.Parallel()
	var n notebook
	w := ask(newHandler(false, &n), "POST", "/revoke", `{"session": 7}`, operator)
	if w.Code < 400 || len(n.asked) > 0 {
		t.Errorf("%d, revoked %q", w.Code, n.asked)
	}
}
