package program

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/transport"
)

// The game of docs/sidecar.md plays, with a player who signs in by dev.SignIn at -status.
func TestBegin(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	testkit.Need(t, err)
	text, err := os.ReadFile("../../../docs/sidecar.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("docs/sidecar.md has no game")
	}
	dir := t.TempDir()
	game, own, status := testkit.FreePort(t), testkit.FreePort(t), "127.0.0.1:"+testkit.FreePort(t)
	source := strings.NewReplacer("7778", game, "7779", own).Replace(string(block[1]))
	file, said := filepath.Join(dir, "game.py"), new(testkit.Console)
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, file)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended, out := make(chan int, 1), new(testkit.Console)
	go func() {
		ended <- Run(ctx, nil, []string{
			"-dev", "-dev-file", filepath.Join(dir, "dev.json"), "-listen", "127.0.0.1:0", "-status", status,
			"-game", "127.0.0.1:" + game, "-own", "127.0.0.1:" + own,
		}, out, out)
	}()
	defer func() {
		cancel()
		cmd.Wait() //nolint:errcheck // it was killed
		if code := <-ended; code != exitOK || t.Failed() {
			t.Errorf("exit status %d\n%s\n%s", code, out, said)
		}
	}()
	out.Await(t, "the backend is ready")

	address, config, err := dev.SignIn(ctx, status, "alice")
	if err != nil {
		t.Fatal(err)
	}
	client, err := transport.Dial(ctx, address, config)
	if err != nil {
		t.Fatal(err)
	}
	for b := make([]byte, client.MaxPayload()); ; {
		if err := client.Send([]byte("forward")); err != nil {
			t.Fatal(err)
		}
		n, err := client.Receive(ctx, b)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(b[:n], []byte("forward")) {
			break
		}
	}
	said.Await(t, "alice joined")
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	said.Await(t, "alice left, reason 1")
}

// Nobody signs in without a name, or at a name that is not this machine's.
func TestLoginRefuses(t *testing.T) {
	t.Parallel()
	d, err := newDevIssuer("127.0.0.1:7777")
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]int{
		"http://127.0.0.1:7780/?name=alice": http.StatusOK,
		"http://127.0.0.1:7780/":            http.StatusBadRequest,
		"http://evil.example/?name=alice":   http.StatusForbidden,
	} {
		if got := ask(t, d, target, "127.0.0.1:7777"); got.Code != want {
			t.Errorf("%s: %d, want %d", target, got.Code, want)
		}
	}
	if got := ask(t, d, "http://[::1]:7780/?name=alice", "[::]:7777"); !strings.Contains(got.Body.String(), `"address":"[::1]:7777"`) {
		t.Errorf("a client that has asked at ::1 gets %s", got.Body)
	}
}

func ask(t *testing.T, d *devIssuer, target, players string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	d.login(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil), netip.MustParseAddrPort(players))
	return w
}
