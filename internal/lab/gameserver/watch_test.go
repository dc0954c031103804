package gameserver

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/lab/statuspage"
)

func TestMeter(t *testing.T) {
	t.Parallel()
	var m meter
	for _, c := range []struct {
		count         uint64
		seconds, want float64
	}{{100, 1, 0}, {160, 1, 60}, {160, 0, 60}, {190, 0.5, 60}, {100, 1, 60}, {101, 1, 1}} {
		if m.rate(c.count, c.seconds); m.perSecond != c.want {
			t.Errorf("%d after %v s: %v a second, want %v", c.count, c.seconds, m.perSecond, c.want)
		}
	}
}

// "The drops of each of the last seconds, by reason": the newest at the end, and nothing older than that.
func TestHistory(t *testing.T) {
	t.Parallel()
	var h history
	h.add(map[string]uint64{"tag": 1000}) // before anybody looked
	h.add(map[string]uint64{"tag": 1003})
	h.add(map[string]uint64{"tag": 1003, "size": 2})
	rows := h.seconds()
	if n := len(rows["tag"]); n != historySeconds || len(rows) != 2 {
		t.Fatalf("%d reasons, %d seconds", len(rows), n)
	}
	tag, size := rows["tag"][historySeconds-3:], rows["size"][historySeconds-3:]
	if !reflect.DeepEqual(tag, []uint64{0, 3, 0}) || !reflect.DeepEqual(size, []uint64{0, 0, 2}) {
		t.Errorf("tag %v, size %v", tag, size)
	}
	for range historySeconds - 1 {
		h.add(map[string]uint64{"tag": 1003, "size": 2})
	}
	if rows := h.seconds(); len(rows) != 1 || rows["size"][0] != 2 {
		t.Errorf("%v, want the oldest second alone", rows)
	}
	if h.add(nil); len(h.seconds()) != 0 || len(h.columns) != historySeconds {
		t.Errorf("%v in %d seconds", h.seconds(), len(h.columns))
	}
}

// "GET / is a page to watch the match."
func TestStatusPage(t *testing.T) {
	s := startServer(t, devConfig(t))
	if body, code := get(t, s.URL()+"/"); code != http.StatusOK || !strings.HasPrefix(body, "<!doctype html>") {
		t.Errorf("/: %d", code)
	}
	body, code := get(t, s.URL()+"/state")
	var state statuspage.State
	if err := json.Unmarshal([]byte(body), &state); err != nil || code != http.StatusOK {
		t.Fatalf("/state: %d %s", code, body)
	}
	if !state.Admin || state.Side == 0 || state.Tick != 60 || state.Players == nil || state.Drops == nil {
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
	if body, code := get(t, url+"/state"); code != http.StatusOK || !strings.Contains(body, `"admin":false`) {
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
