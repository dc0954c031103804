package gameserver

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/statuspage"
)

// "GET / is a page to watch the match."
func TestStatusPage(t *testing.T) {
	s := startServer(t, devConfig(t))
	if body, code := get(t, s.URL()+"/"); code != http.StatusOK || !strings.HasPrefix(body, "<!doctype html>") {
		t.Errorf("/: %d", code)
	}
	body, code := get(t, s.URL()+"/state")
	var state struct {
		Acts    bool
		Stats   struct{ Drops map[string]uint64 }
		Players []any
		Panel   struct {
			Side   int
			Bodies []any
		}
	}
	if err := json.Unmarshal([]byte(body), &state); err != nil || code != http.StatusOK {
		t.Fatalf("/state: %d %s", code, body)
	}
	if !state.Acts || state.Panel.Side == 0 || state.Panel.Bodies == nil || state.Players == nil || state.Stats.Drops == nil {
		t.Errorf("/state: %s", body)
	}
	r, err := http.NewRequest(http.MethodPost, s.URL()+"/revoke", strings.NewReader(`{"subject": "alice"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(statuspage.AdminHeader, "revoke")
	if body, code := ask(t, r); code != http.StatusBadRequest {
		t.Errorf("/revoke without an issuer: %d %s", code, body)
	}
}

// "A server that listens on a loopback address": with any other anybody may look, and nobody is told names or revokes.
func TestStatusForAnybody(t *testing.T) {
	c := devConfig(t)
	c.Dev, c.Status = nil, "0.0.0.0:0"
	s := startServer(t, c)
	url := strings.Replace(s.URL(), "0.0.0.0", "127.0.0.1", 1)
	if body, code := get(t, url+"/state"); code != http.StatusOK || !strings.Contains(body, `"acts":false`) {
		t.Errorf("/state: %d %s", code, body)
	}
	r, err := http.NewRequest(http.MethodPost, url+"/revoke", strings.NewReader(`{"session": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(statuspage.AdminHeader, "revoke")
	if body, code := ask(t, r); code != http.StatusNotFound && code != http.StatusMethodNotAllowed {
		t.Errorf("/revoke: %d %s", code, body)
	}
}
