package program

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
)

// An operator sees who plays and drains the gateway: newcomers are refused, health checks hear of it, and
// the program ends once nobody plays.
func TestAdmin(t *testing.T) {
	t.Parallel()
	authority, err := identity.NewDevAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	own, err := authority.Issue(identity.GameState)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := authority.Issue(identity.Operator)
	if err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + testkit.FreePort(t)
	s := run(t, "-admin", address, "-spiffe-cert", own.Certificate, "-spiffe-key", own.Key, "-spiffe-bundle", own.Bundle)
	source, err := identity.New(t.Context(), identity.Config{Files: theirs})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close() //nolint:errcheck // the test ends
	operator := &admin.Client{HTTP: &http.Client{Transport: source.Transport(identity.GameState)}, Address: address}
	alice := s.join(t, "alice")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stats, err := operator.Sessions(ctx, admin.SessionQuery{})
	for err != nil && ctx.Err() == nil { // the API may come later than the players
		time.Sleep(10 * time.Millisecond)
		stats, err = operator.Sessions(ctx, admin.SessionQuery{})
	}
	if err != nil || len(stats.Sessions) != 1 {
		t.Fatalf("%+v %v", stats, err)
	}
	// What the alerts of fleet/deploy go by.
	if got := s.metric(t, `sallyport_admin_call_duration_seconds_count{code="200",operation="listSessions"}`); got != "1" {
		t.Errorf("of one call /metrics has %s", got)
	}
	expires, err := strconv.ParseFloat(s.metric(t, `sallyport_certificate_expiry_timestamp_seconds{certificate="spiffe"}`), 64)
	if left := time.Until(time.Unix(int64(expires), 0)); err != nil || left < 0 || left > 25*time.Hour {
		t.Errorf("by /metrics the certificate is good for %v (%v)", left, err)
	}
	if _, err := operator.Drain(ctx, time.Minute, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.dial(t, "bob"); reason(err) != session.ReasonShutdown {
		t.Errorf("bob: %v, want shutdown", err)
	}
	r, err := http.Get("http://" + s.status + "/ready")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close() //nolint:errcheck // only the status matters
	if r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/ready: %d", r.StatusCode)
	}
	echo(t, alice)
	alice.Close() //nolint:errcheck // it leaves
	s.out.Await(t, "msg=stopped")
}
