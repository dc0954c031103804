package soak

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/lab/tally"
	"github.com/sallyport/sallyport/statuspage"
	"github.com/sallyport/sallyport/transport"
)

// "The decisions since a time that a status page's /events has."
func TestReadEvents(t *testing.T) {
	t.Parallel()
	recent, since := audit.NewRecent(100), time.Now()
	recent.Record(audit.Event{Time: since.Add(-time.Second), Decision: audit.Migrate, Session: 1})
	recent.Record(audit.Event{Time: since, Decision: audit.Migrate, Session: 2})
	recent.Record(audit.Event{Decision: audit.Reject, Reason: audit.DropUsed})
	page := showEvents(t, recent)
	defer page.Close()
	trail, err := readEvents(t.Context(), page.URL+"/events", since)
	if err != nil {
		t.Fatal(err)
	}
	if c, s := trail.Counts(), trail.Sessions("migrate"); len(c) != 2 || c["reject used"] != 1 || len(s) != 1 || !s[2] {
		t.Errorf("counts %v, of sessions %v", c, s)
	}
}

// What is not kept any more is missing, if it may have been of the run.
func TestEventsNotKept(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kept  int
		since time.Time
		want  uint64
	}{{3, time.UnixMilli(0), 0}, {2, time.UnixMilli(0), 1}, {2, time.UnixMilli(2001), 0}} {
		recent := audit.NewRecent(test.kept)
		for i := range 3 {
			recent.Record(audit.Event{Time: time.UnixMilli(1000 * int64(i+1)), Decision: audit.Renew, Session: 1})
		}
		page := showEvents(t, recent)
		trail, err := readEvents(t.Context(), page.URL+"/events", test.since)
		page.Close()
		if err != nil || trail.Missing() != test.want {
			t.Errorf("%d kept, since %v: %d missing, %v; want %d", test.kept, test.since, trail.Missing(), err, test.want)
		}
	}
}

// showEvents serves a status page with these decisions.
func showEvents(t *testing.T, recent *audit.Recent) *httptest.Server {
	t.Helper()
	page, err := statuspage.Handler(statuspage.Config{Server: &transport.Server{}, Events: recent})
	if err != nil {
		t.Fatal(err)
	}
	return httptest.NewServer(page)
}

func TestEventsMissed(t *testing.T) {
	e := events{trail: &tally.Trail{}}
	for _, line := range []string{": decisions", "", "event: lost", "data: 7", "", "id: 9", `data: {"decision": "renew"}`} {
		if err := e.read([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if n := e.trail.Missing(); n != 7+8 || e.trail.Counts()["renew"] != 1 {
		t.Errorf("%d missing, %v", n, e.trail.Counts())
	}
}

func TestReadEventsRefuses(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"not found": http.NotFound,
		"junk":      func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "data: {junk\n\n") },
		"cut off":   func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, ": decisions\n\n") },
	} {
		page := httptest.NewServer(answer)
		if _, err := readEvents(context.Background(), page.URL, time.Time{}); err == nil {
			t.Errorf("%s: read", name)
		}
		page.Close()
	}
	if _, err := readEvents(context.Background(), "http://127.0.0.1:1", time.Time{}); err == nil {
		t.Error("nobody there: read")
	}
}
