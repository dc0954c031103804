package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/transport"
)

// /metrics has what the alerts of fleet/deploy go by: exchanges with players, and when the certificate
// expires that they are shown, also once it is another: nobody has to tell the gateway.
func TestMetrics(t *testing.T) {
	t.Parallel()
	cert, key := certify(t)
	first, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	listen, status := "127.0.0.1:"+testkit.FreePort(t), "127.0.0.1:"+testkit.FreePort(t)
	out, ended := new(testkit.Console), make(chan int, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		ended <- run(ctx, nil, []string{
			"-nakama", "http://127.0.0.1:" + testkit.FreePort(t), "-cert", cert, "-key", key, "-listen", listen, "-status", status,
		}, func(name string) string {
			return map[string]string{"SALLYPORT_NAKAMA_SESSION_KEY": strings.Repeat("k", 32)}[name]
		}, out, out)
	}()
	defer func() {
		stop()
		if code := <-ended; code != 0 || t.Failed() {
			t.Errorf("exit status %d: %s", code, out)
		}
	}()
	out.Await(t, "players at")
	expires := func(want time.Time) {
		t.Helper()
		got, err := strconv.ParseFloat(testkit.Metric(t, status, `sallyport_certificate_expiry_timestamp_seconds{certificate="dtls"}`), 64)
		if err != nil || int64(got) != want.Unix() {
			t.Errorf("by /metrics the certificate expires at %.0f and not at %d (%v)", got, want.Unix(), err)
		}
	}
	expires(first.Leaf.NotAfter)

	second := testkit.NewAuthority(t).Server(t)
	store(t, cert, key, second)
	out.Await(t, "certificate reloaded")
	expires(second.Leaf.NotAfter)

	pin := testkit.Thumbprint(second)
	dialing, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := transport.Dial(dialing, listen, transport.ClientConfig{
		Pin: &pin, Token: func(context.Context) ([]byte, error) { return []byte("no token"), nil },
	}); err == nil || dialing.Err() != nil {
		t.Errorf("a player without a token: %v", err)
	}
	for name, outcome := range map[string]string{"handshake": "ok", "sign_in": "refused"} {
		name = fmt.Sprintf("sallyport_%s_duration_seconds_count{outcome=%q}", name, outcome)
		for start := time.Now(); testkit.Metric(t, status, name) != "1"; time.Sleep(10 * time.Millisecond) {
			if time.Since(start) > 20*time.Second {
				t.Fatalf("/metrics has %s not at 1", name)
			}
		}
	}
}
