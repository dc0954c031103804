package program

import (
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gateway/internal/sdkserver"
	"github.com/sallyport/sallyport/internal/testkit"
)

// Flags for a pod of Agones want -agones, and say so.
func TestAgonesFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-dev -agones-list players":           "give -agones, too",
		"-dev -agones-unallocated":            "give -agones, too",
		"-dev -agones env -agones-within -1s": "must be more than nothing",
		"-dev -agones env -agones-within 25h": "24h at most",
		"-dev -agones env -agones-list p":     "",
		"-dev -agones http://127.0.0.1:9358":  "",
	} {
		var out strings.Builder
		f, _ := parse(strings.Fields(args), io.Discard, &out)
		if (f != nil) != (want == "") || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %q", args, out.String())
		}
	}
}

// A sidecar without a game is not well: Agones is told neither that it is ready nor that it is healthy, and
// it ends as soon as it is told to.
func TestAgonesWithoutGame(t *testing.T) {
	sdk := sdkserver.New("game-1")
	server := httptest.NewServer(sdk)
	defer server.Close()
	dir := t.TempDir()
	text, err := testkit.FleetKey(t).Text()
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(dir, "fleet.keys")
	if err := os.WriteFile(keys, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var log logBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, nil, []string{
			"-dev", "-dev-file", filepath.Join(dir, "dev.json"), "-listen", "127.0.0.1:0", "-status", "127.0.0.1:0",
			"-game", "unix:" + filepath.Join(dir, "game"), "-own", "unix:" + filepath.Join(dir, "own"), "-fleet-keys", keys,
			"-agones", server.URL, "-agones-list", "players",
		}, io.Discard, &log)
	}()
	seen := func(text string) bool {
		for range 500 {
			if strings.Contains(log.String(), text) {
				return true
			}
			time.Sleep(10 * time.Millisecond)
		}
		return false
	}
	if !seen("the server is not well") {
		t.Error(log.String())
	}
	if sdk.Health() != 0 || sdk.State() != "Scheduled" {
		t.Errorf("%d health, %s", sdk.Health(), sdk.State())
	}
	stop()
	select {
	case code := <-ended:
		if code != exitOK {
			t.Errorf("exit status %d: %s", code, log.String())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
	var j map[string]any
	if b, err := os.ReadFile(filepath.Join(dir, "dev.json")); err != nil || json.Unmarshal(b, &j) != nil {
		t.Error(err)
	}
}

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
