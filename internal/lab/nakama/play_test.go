package nakama

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// stand is what stands for a Nakama server with the plugin: its answers by HTTP, and a match by UDP.
type stand struct {
	invitation map[string]any
	refuse     string // the path that is refused
	kick       atomic.Bool
}

func newStand(t *testing.T) (*stand, string) {
	t.Helper()
	issuer, certificate := testkit.NewIssuer(t), testkit.NewAuthority(t).Server(t)
	s := &stand{}
	server, err := transport.Listen("127.0.0.1:0", transport.Config{
		Certificate: *certificate, Verifier: issuer.Verifier(t), Lanes: []transport.Lane{{Mode: transport.Ordered, MaxMessage: 6 << 10}},
	})
	if err != nil {
		t.Fatal(err)
	}
	x := 0
	go server.Serve(transport.Handler{Receive: func(p *transport.Player, step []byte) { //nolint:errcheck // ErrServerClosed
		if s.kick.Load() {
			p.Kick(session.ReasonKicked)
		}
		x += int(step[1])
		world := fmt.Sprintf(`[{"user":"other","x":9},{"user":"u1","x":%d}]`, x)
		b := append(binary.AppendUvarint(nil, opWorld), world...)
		if x%2 == 0 {
			p.SendMessage(0, append(b, strings.Repeat(" ", 5000)...)) //nolint:errcheck // it has left
		} else {
			p.Send(b) //nolint:errcheck // it has left
		}
	}})
	t.Cleanup(func() { server.Close() }) //nolint:errcheck // a test's
	pin := sha256.Sum256(certificate.Certificate[0])
	s.invitation = map[string]any{
		"address": server.Addr().String(), "pin": hex.EncodeToString(pin[:]),
		"token": issuer.Token(t, token.Grant{Subject: "u1"}),
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return s, web.URL
}

func (s *stand) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == s.refuse {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"code":7,"message":"nakamabridge: not allowed"}`)
		return
	}
	payload, _ := json.Marshal(s.invitation)
	_, password, _ := r.BasicAuth()
	answers := map[string]any{
		"/v2/account/authenticate/custom": map[string]string{"token": "session"},
		"/v2/account":                     map[string]any{"user": map[string]string{"id": "u1"}},
		"/v2/rpc/arena_find":              map[string]string{"payload": "match.node"},
		"/v2/rpc/sallyport_connect":       map[string]string{"payload": string(payload)},
	}
	if r.URL.Path != "/v2/account/authenticate/custom" && r.Header.Get("Authorization") != "Bearer session" || password != "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_ = json.NewEncoder(w).Encode(answers[r.URL.Path])
}

func play(t *testing.T, url string) (*Report, error) {
	t.Helper()
	return Play(t.Context(), Config{
		URL: url, ServerKey: "defaultkey", Rate: 100, Duration: 300 * time.Millisecond,
		Identity: func(context.Context) ([]byte, error) { return []byte("identity"), nil },
	})
}

func TestPlay(t *testing.T) {
	t.Parallel()
	_, url := newStand(t)
	r, err := play(t, url)
	if err != nil || !r.OK() || r.User != "u1" || r.Match != "match.node" || r.X == 0 || r.X > r.Sent || r.Players != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	var table strings.Builder
	if err := r.WriteTable(&table); err != nil || !strings.Contains(table.String(), "verdict     ok") {
		t.Errorf("%v\n%s", err, &table)
	}
}

func TestPlayEnded(t *testing.T) {
	t.Parallel()
	s, url := newStand(t)
	s.kick.Store(true)
	r, err := play(t, url)
	if err != nil || r.OK() || r.Verdict != "failed" || !strings.Contains(strings.Join(r.Failures, "\n"), "session closed") {
		t.Errorf("%+v, %v", r, err)
	}
}

// "The error says which step before the match failed."
func TestPlayRefused(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/v2/account/authenticate/custom": "signing in to Nakama",
		"/v2/account":                     "reading the account",
		"/v2/rpc/arena_find":              "RPC arena_find",
		"/v2/rpc/sallyport_connect":       "RPC sallyport_connect",
	} {
		s, url := newStand(t)
		s.refuse = path
		_, err := play(t, url)
		if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "not allowed") {
			t.Errorf("%s is refused: %v", path, err)
		}
	}
	s, url := newStand(t)
	s.invitation["pin"] = "00"
	if _, err := play(t, url); err == nil {
		t.Error("a pin of one byte is taken")
	}
	s.invitation["pin"] = strings.Repeat("00", 32)
	if _, err := play(t, url); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("another certificate's pin: %v", err)
	}
}
