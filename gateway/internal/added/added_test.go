package added

import (
	"io"
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

// stderr catches what this process and its children write to standard error, until the function is called.
func stderr(t *testing.T) func() string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before, text := os.Stderr, make(chan string)
	os.Stderr = w
	go func() {
		b, _ := io.ReadAll(r) // it ends with w
		text <- string(b)
	}()
	return func() string {
		os.Stderr = before
		w.Close() //nolint:errcheck // its children have ended
		return <-text
	}
}

// A short measurement has all of its numbers, and nearly everything comes back.
func TestMeasure(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var progress strings.Builder
	c := Config{Players: 10, Rate: 30, Duration: time.Second, Rounds: 1, Progress: &progress}
	said := stderr(t)
	library, sidecar, err := Run(t.Context(), c, self)
	if err != nil {
		t.Fatal(err)
	}
	want := "round 1 of 1, library: 10 players join, and play for 1s\nround 1 of 1, sidecar: 10 players join, and play for 1s\n"
	if progress.String() != want {
		t.Errorf("the progress is %q, want %q", &progress, want)
	}
	if text := said(); text != "" {
		t.Errorf("beside its progress it says %q", text)
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
