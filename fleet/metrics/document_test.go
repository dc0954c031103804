package metrics

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// docs/deploy.md has a row for each metric, in the order of their names, and no other.
func TestDocumentedNames(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	r.MustRegister(complete(t))
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| name | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		kind := strings.ToLower(f.GetType().String())
		want.WriteString(fmt.Sprintf("| `%s` | %s | %s | %s |\n", f.GetName(), kind, strings.Join(labels, ", "), f.GetHelp()))
	}
	text, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\n\n"+want.String()+"\n") {
		t.Errorf("docs/deploy.md lacks this table:\n%s", want.String())
	}
}
