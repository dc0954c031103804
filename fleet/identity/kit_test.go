package identity_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/identity"
)

// witness keeps what a Source tells its operator.
type witness struct {
	mu     sync.Mutex
	events []audit.Event
	log    bytes.Buffer
}

func (w *witness) Record(e audit.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func (w *witness) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

// watch has a Source tell w.
func (w *witness) watch(c *identity.Config) {
	c.Audit, c.Log = w, slog.New(slog.NewTextHandler(w, nil))
}

// all returns the events of a decision.
func (w *witness) all(d audit.Decision) []audit.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.events), func(e audit.Event) bool { return e.Decision != d })
}

// lines returns the lines of the log that contain text.
func (w *witness) lines(text string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(strings.Lines(w.log.String())), func(l string) bool { return !strings.Contains(l, text) })
}

// soon waits until ok is true.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("timeout: " + what)
		}
	}
}
