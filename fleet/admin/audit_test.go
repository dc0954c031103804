package admin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/internal/admintest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/transport"
)

// Each call is a line of the audit: who, what, outcome. A line "deny" is somebody who may not, and no
// operator's slip.
func TestCallsAreAudited(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	var log lockedBuffer
	match := fleet.Match(t, func(_ *transport.Config, c *admin.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	match.Join(t, "alice")
	operator, analytics := fleet.Client(t, match, identity.Operator, "zoe"), fleet.Client(t, match, identity.Analytics)
	target := admin.Target{Subject: "alice", Issuer: testkit.IssuerName}
	operator.Sessions(t.Context(), admin.SessionQuery{})                   //nolint:errcheck // the audit is looked at
	operator.Kick(t.Context(), admin.KickRequest{Target: target})          //nolint:errcheck // likewise
	analytics.Kick(t.Context(), admin.KickRequest{Target: target})         //nolint:errcheck // likewise
	operator.Ban(t.Context(), admin.BanRequest{Target: target, For: "-1"}) //nolint:errcheck // likewise
	operator.Session(t.Context(), strings.Repeat("0", 32))                 //nolint:errcheck // likewise
	operator.RotateKeys(t.Context())                                       //nolint:errcheck // likewise
	type line struct {
		Decision string
		Status   int `json:"status_id"`
		Message  string
		Actor    struct {
			App string `json:"app_uid"`
		}
		API      struct{ Operation string }
		Src      struct{ Name string } `json:"src_endpoint"`
		Unmapped struct{ Cause string }
	}
	var got []string
	lines, _ := match.Audit.Since(0)
	for _, text := range lines {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		if l.Decision == "operate" || l.Decision == "deny" {
			got = append(got, fmt.Sprintf("%s %d %s %s %s %s %s", l.Decision, l.Status, strings.TrimPrefix(l.Actor.App, "spiffe://game.example/role/"), l.API.Operation, l.Unmapped.Cause, l.Src.Name, l.Message))
		}
	}
	want := []string{
		"operate 1 operator/zoe listSessions  127.0.0.0/24 ",
		"operate 1 operator/zoe kick  127.0.0.0/24 reason 3, ended 1",
		"deny 2 analytics kick not permitted 127.0.0.0/24 ",
		"operate 2 operator/zoe ban body 127.0.0.0/24 ",
		"operate 2 operator/zoe getSession absent 127.0.0.0/24 ", // nobody has attacked: the player has left
		"operate 2 operator/zoe rotateKeys no-keeper 127.0.0.0/24 ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	text := log.String()
	if strings.Count(text, "level=WARN") != 4 || !strings.Contains(text, `cause="not permitted" peer=spiffe://game.example/role/analytics operation=kick status=403 do=`) ||
		strings.Contains(text, "alice") {
		t.Errorf("the log has %s", text)
	}
}

// lockedBuffer is a bytes.Buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
