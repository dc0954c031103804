package statuspage

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

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

func (n *notebook) Ban(b session.Ban) (int, error) {
	until := "lifted"
	if !b.Until.IsZero() {
		until = time.Until(b.Until).Round(time.Minute).String()
	}
	n.asked = append(n.asked, "ban "+b.Issuer+" "+b.Subject+" until "+until)
	if b.Reason != 0 || b.Note != "" {
		n.asked = append(n.asked, fmt.Sprint(b.Reason, ": ", b.Note))
	}
	if len(b.Note) > 64 {
		return 0, session.ErrBan
	}
	return 1, nil
}

func (n *notebook) Lift(issuer, subject string) bool {
	n.asked = append(n.asked, "lift "+issuer+" "+subject)
	return true
}

func (n *notebook) Session(id uint32) (session.Session, bool) { return stay{}, id == 7 }

// operator is what the page and curl send.
var operator = map[string]string{"Content-Type": "application/json", AdminHeader: "x"}

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
		{`{"session": 7}`, "session 7", `{"ended":1}`, 200},
		{`{"session": 8}`, "session 8", `{"ended":0}`, 200},
		{`{"subject": "alice", "issuer": "other"}`, "subject other alice", `{"ended":2}`, 200},
		{`{"subject": "alice"}`, "subject own alice", `{"ended":2}`, 200},
		{`{"token_id": "t", "issuer": "other"}`, "token other t", `{"ended":2}`, 200},
		{`{"session": 7, "for": "1h"}`, "", "of a ban only", 400},
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
		{`{"session": 7, "subject": "` + strings.Repeat(" ", maxRequest) + `"}`, "", "exactly one", 400},
	} {
		var n notebook
		w := ask(operated(t, &n), "POST", "/revoke", c.body, operator)
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
		{"no type", map[string]string{AdminHeader: "x"}, 415},
	} {
		var n notebook
		w := ask(operated(t, &n), "POST", "/revoke", `{"session": 7}`, c.header)
		if w.Code != c.code || (len(n.asked) > 0) != (c.code == http.StatusOK) {
			t.Errorf("%s: %d %s, revoked %q, want %d", c.name, w.Code, w.Body, n.asked, c.code)
		}
	}
	for _, method := range []string{"GET", "PUT", "OPTIONS"} {
		var n notebook
		if w := ask(operated(t, &n), method, "/revoke", `{"session": 7}`, operator); w.Code < 400 || len(n.asked) > 0 {
			t.Errorf("%s: %d, revoked %q", method, w.Code, n.asked)
		}
	}
}

func TestBan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, body, asked, answer string
		code                      int
	}{
		{"/ban", `{"session": 7}`, "ban other bob until lifted", `{"ended":1}`, 200},
		{"/ban", `{"session": 7, "for": "24h"}`, "ban other bob until 24h0m0s", `{"ended":1}`, 200},
		{"/ban", `{"session": 7, "reason": 130, "note": "spam"}`, "ban other bob until lifted, game's reason 130: spam", `{"ended":1}`, 200},
		{"/ban", `{"session": 7, "note": "` + strings.Repeat("n", 65) + `"}`, "ban other bob until lifted, reason 0: " + strings.Repeat("n", 65), "at most 64 bytes", 400},
		{"/ban", `{"session": 7, "reason": 256}`, "", "give", 400},
		{"/lift", `{"subject": "alice", "issuer": "other", "note": "n"}`, "", "of a ban only", 400},
		{"/revoke", `{"session": 7, "reason": 4}`, "", "of a ban only", 400},
		{"/ban", `{"session": 8}`, "", "nobody is banned", 404},
		{"/ban", `{"subject": "alice"}`, "ban own alice until lifted", `{"ended":1}`, 200},
		{"/ban", `{"subject": "alice", "for": "soon"}`, "", "must be a duration", 400},
		{"/ban", `{"subject": "alice", "for": "-1h"}`, "", "must be a duration", 400},
		{"/ban", `{"subject": "alice", "session": 7}`, "", "give", 400},
		{"/ban", `{"token_id": "t"}`, "", "give", 400},
		{"/ban", `{}`, "", "give", 400},
		{"/lift", `{"subject": "alice", "issuer": "other"}`, "lift other alice", `{"lifted":true}`, 200},
		{"/lift", `{"session": 7}`, "", "give", 400},
		{"/lift", `{"subject": "alice", "for": "1h"}`, "", "give", 400},
	} {
		var n notebook
		w := ask(operated(t, &n), "POST", c.path, c.body, operator)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.answer) || strings.Join(n.asked, ", ") != c.asked {
			t.Errorf("%s %s: %d %s asked %q, want %d %s asked %q", c.path, c.body, w.Code, w.Body, n.asked, c.code, c.answer, c.asked)
		}
	}
}

// "The three POSTs exist only with Config.Authorize, which is asked each time." "Its errors are not
// sent."
func TestAuthorize(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/revoke", "/ban", "/lift"} {
		body := `{"subject": "alice", "issuer": "own"}`
		if w := ask(readOnly(t), "POST", path, body, operator); w.Code < 400 {
			t.Errorf("%s of a page that is read-only: %d", path, w.Code)
		}
		var n notebook
		h := readOnly(t, func(c *Config) {
			c.Remote, c.Revoker = true, &n
			c.Authorize = func(r *http.Request) error {
				if _, password, _ := r.BasicAuth(); password != "sesame" {
					return errors.New("secret")
				}
				return nil
			}
		})
		if w := ask(h, "POST", path, body, operator); w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "secret") || len(n.asked) > 0 {
			t.Errorf("%s: %d %s, asked %q", path, w.Code, w.Body, n.asked)
		}
		if w := ask(h, "POST", path, body, with("Authorization", "Basic OnNlc2FtZQ==")); w.Code != http.StatusOK || len(n.asked) != 1 {
			t.Errorf("%s with a password: %d %s, asked %q", path, w.Code, w.Body, n.asked)
		}
	}
}

// "Local permits requests from this machine itself […], unless a header says that a proxy forwards them."
func TestLocal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header map[string]string
		remote bool
		code   int
	}{
		{operator, false, 200},
		{operator, true, 403},
		{with("X-Forwarded-For", "192.0.2.7"), false, 403},
		{with("Forwarded", "for=192.0.2.7"), false, 403},
	} {
		var n notebook
		h := readOnly(t, func(c *Config) { c.Remote, c.Authorize, c.Revoker = true, Local, &n })
		at := loopback
		if c.remote {
			at = outside
		}
		if w := askAt(at, h, "POST", "/revoke", `{"session": 7}`, c.header); w.Code != c.code || (len(n.asked) > 0) != (c.code == 200) {
			t.Errorf("remote %v, %v: %d", c.remote, c.header, w.Code)
		}
	}
}
