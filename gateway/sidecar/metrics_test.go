package sidecar

import (
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/metrics"
)

// docs/deploy.md lists each metric of gateway and sidecar, with type, labels and meaning.
func TestMetricsAreDocumented(t *testing.T) {
	s := play(t, func(c *gateway.Config, _ *Config) { c.Remote = true })
	w := httptest.NewRecorder()
	metrics.Handler(s.sidecar).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	whole := httptest.NewRecorder()
	s.Handler().ServeHTTP(whole, httptest.NewRequest("GET", "http://127.0.0.1/metrics", nil))
	text, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	meaning := regexp.MustCompile(`(?m)^# HELP (sallyport_(?:gateway|sidecar)_\w+) (.*)\n# TYPE \w+ (\w+)$`)
	for _, m := range meaning.FindAllStringSubmatch(w.Body.String()+whole.Body.String(), -1) {
		want = append(want, m[1]+" "+m[3]+" "+m[2])
	}
	row := regexp.MustCompile("(?m)^\\| `(sallyport_(?:gateway|sidecar)_\\w+)` \\| (\\w+) \\| [^|]* \\| (.*) \\|$")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		got = append(got, m[1]+" "+m[2]+" "+m[3])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, slices.Compact(want)) || len(got) < 9 {
		t.Errorf("documented:\n%q\nmeasured:\n%q", got, want)
	}
}

var _ prometheus.Collector = (*Sidecar)(nil)
