package testkit

import (
	"io"
	"net/http"
	"regexp"
	"testing"
)

// Metric returns the value of a metric, whose name has its labels, that a program serves at /metrics of an address.
func Metric(t testing.TB, address, name string) string {
	t.Helper()
	r, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no metric %s", name)
	}
	return string(m[1])
}

// Status returns the status of a GET of url that asks for it by the name of host, or by the url's own if that is empty.
func Status(t testing.TB, url, host string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close() //nolint:errcheck // only the status matters
	return answer.StatusCode
}
