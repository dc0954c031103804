package admin

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/keys"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// calm is a server, an identity and a keeper with which everything succeeds and nobody plays.
type calm struct{}

func (calm) Stats() transport.Stats                                    { return transport.Stats{} }
func (calm) Visit(context.Context, func(*transport.Player) bool) error { return nil }
func (calm) Bans(int) []session.Ban                                    { return []session.Ban{{Issuer: "i", Subject: "s"}} }
func (calm) Drain(context.Context, string) error                       { return nil }
func (calm) Shutdown(context.Context) error                            { return nil }
func (calm) Revoke(session.Revocation) (int, error)                    { return 0, nil }
func (calm) Ban(session.Ban) (int, error)                              { return 0, nil }
func (calm) Lift(string, string) bool                                  { return false }
func (calm) Status() keys.Status                                       { return keys.Status{} }
func (calm) Rotate(context.Context) error                              { return nil }
func (calm) Emergency(context.Context) (keys.Loss, error)              { return keys.Loss{}, nil }
func (calm) Forget(context.Context, string) error                      { return nil }
func (calm) Peer(tls.ConnectionState, ...identity.Role) (identity.Peer, error) {
	return identity.Peer{ID: "spiffe://fleet.test/role/operator", Permissions: identity.DefaultPermissions(identity.Operator)}, nil
}

// Whatever is asked: no call but a listed one is made, an answer is JSON of a documented status or
// a problem whose texts quote nothing, and the answer comes.
func FuzzCalls(f *testing.F) {
	routes := new(api).routes()
	for _, r := range routes {
		f.Add(r.method, strings.Replace(r.path, "{session}", "00112233445566778899aabbccddeeff", 1), "limit=1", []byte(`{"subject":"a","issuer":"b"}`))
	}
	f.Add("POST", "/v1/kick", "", []byte(`{"session":"00112233445566778899aabbccddeeff","reason":130}`))
	f.Add("POST", "/v1/drain", "", []byte(`{"within":"1h"}`))
	f.Add("GET", "/v1/drain", "wait=1ms&state=serving", []byte{})
	f.Add("GET", "/v1/../v1/stats", "a=%zz", []byte{})
	f.Fuzz(func(t *testing.T, method, path, query string, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		r.Method, r.URL.Path, r.URL.RawPath, r.URL.RawQuery = method, path, "", query
		r.Header.Set("Content-Type", "application/json")
		if method == http.MethodGet {
			r.Body, r.ContentLength = http.NoBody, 0
		}
		if strings.Contains(query, "wait") {
			query += "&wait=0s" // twice: refused at once
			r.URL.RawQuery = query
		}
		h, err := Handler(Config{Server: calm{}, Identity: calm{}, Rotator: calm{}})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		listed := slices.ContainsFunc(routes, func(r route) bool {
			return r.method == method && (r.path == path || strings.HasSuffix(r.path, "{session}") && strings.HasPrefix(path, sessionPath))
		})
		if !listed && w.Code != http.StatusForbidden {
			t.Errorf("%q %q: %d", method, path, w.Code)
		}
		if w.Code >= 400 {
			var p Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || p.Detail == "" || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s: %v", w.Code, w.Body, err)
			}
		} else if !slices.Contains([]int{200, 202}, w.Code) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
