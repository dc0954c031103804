package metrics

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/transport"
)

// counted has a number of its own for each field.
func counted() transport.Stats {
	return transport.Stats{
		Sessions: 1, SessionsPeak: 2, Received: 3, Sent: 4, Drops: map[string]uint64{"tag": 5, "queue": 11},
		Refusals:   map[string]uint64{"token signature": 13},
		Handshakes: transport.HandshakeStats{Started: 6, Completed: 7, Failed: 8, FailedBy: map[string]uint64{"timeout": 8}, Retries: transport.RetryStats{Sent: 14, Returned: 15, Vouched: 16, Wrong: 17}},
		Socket:     transport.SocketStats{Shards: 9, ReceiveBuffer: 10, SendBuffer: 12, Overflow: 11},
	}
}

// scrape returns what a Handler answers.
func scrape(t *testing.T, accept string, own ...prometheus.Collector) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	Handler(own...).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	b, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestScrape(t *testing.T) {
	t.Parallel()
	c := NewCollector(counted)
	c.ObserveTick(3 * time.Millisecond)
	text := scrape(t, "", c)
	for _, line := range []string{
		"sallyport_sessions 1", "sallyport_sessions_peak 2", "sallyport_datagrams_received_total 3", "sallyport_datagrams_sent_total 4",
		`sallyport_drops_total{reason="tag"} 5`, `sallyport_drops_total{reason="idle"} 0`, `sallyport_drops_total{reason="queue"} 11`,
		`sallyport_refusals_total{cause="token signature"} 13`, `sallyport_handshake_failures_total{cause="timeout"} 8`,
		"sallyport_handshakes_started_total 6", `sallyport_handshakes_total{result="completed"} 7`, `sallyport_handshakes_total{result="failed"} 8`,
		`sallyport_retries_total{event="sent"} 14`, `sallyport_retries_total{event="returned"} 15`,
		`sallyport_retries_total{event="vouched"} 16`, `sallyport_retries_total{event="wrong"} 17`,
		"sallyport_sockets 9", "sallyport_socket_receive_buffer_bytes 10", "sallyport_socket_send_buffer_bytes 12", "sallyport_socket_overflow_total 11",
		`sallyport_tick_seconds_bucket{le="0.002"} 0`, `sallyport_tick_seconds_bucket{le="0.004"} 1`, "sallyport_tick_seconds_count 1",
		"go_goroutines ", "process_",
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no line %q", line)
		}
	}
	if open := scrape(t, "application/openmetrics-text; version=1.0.0", c); !strings.HasSuffix(open, "# EOF\n") {
		t.Error("no OpenMetrics")
	}
}

// Names and help texts follow Prometheus' conventions, as `promtool check metrics` reads them.
func TestConventions(t *testing.T) {
	t.Parallel()
	problems, err := promlint.New(bytes.NewBufferString(scrape(t, "", NewCollector(counted)))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "sallyport_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// A label has the reasons of the audit and no others, whatever the server has counted.
func TestReasons(t *testing.T) {
	t.Parallel()
	text := scrape(t, "", NewCollector(counted))
	n := 0
	for d := audit.DropNone + 1; d.Describe() != ""; d++ {
		n++
		if !strings.Contains(text, `sallyport_drops_total{reason="`+d.String()+`"} `) {
			t.Errorf("no reason %v", d)
		}
	}
	if got := strings.Count(text, "sallyport_drops_total{"); got != n || n < 20 {
		t.Errorf("%d reasons, want %d", got, n)
	}
}
