package added

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets this program be a server process, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "child" {
		if err := Child(os.Args[0], os.Args[2:], os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error() + "\n") //nolint:errcheck // the parent says more
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A short measurement has all of its numbers, and nearly everything comes back.
func TestMeasure(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Players: 10, Rate: 30, Duration: time.Second, Rounds: 1}
	library, sidecar, err := Run(t.Context(), c, self)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Result{library, sidecar} {
		if r.P50 <= 0 || r.P99 < r.P50 || r.Lost > 0.1 || r.Processor <= 0 {
			t.Errorf("%+v", r)
		}
	}
	var out strings.Builder
	Table(&out, c, library, sidecar)
	if n := strings.Count(out.String(), "\n"); n != 4 {
		t.Errorf("%d lines:\n%s", n, &out)
	}
}
