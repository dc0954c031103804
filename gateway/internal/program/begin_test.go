package program

import (
	"bytes"
	"context"
	"net"
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

// The game of docs/sidecar.md plays, with a player who signs in by dev.SignIn at -status, and goes on
// when another process of the sidecar comes, by UDP and by Unix sockets.
func TestBegin(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	testkit.Need(t, err)
	text, err := os.ReadFile("../../../docs/sidecar.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```python\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("docs/sidecar.md has %d blocks of Python, not a game and what changes by Unix sockets", len(blocks))
	}
	whole := string(blocks[0][1])
	t.Run("UDP", func(t *testing.T) {
		t.Parallel()
		game, own := testkit.FreePort(t), testkit.FreePort(t)
		source := strings.NewReplacer("7778", game, "7779", own).Replace(whole)
		begin(t, python, source, "127.0.0.1:"+game, "127.0.0.1:"+own)
	})
	t.Run("Unix", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		source := regexp.MustCompile(`(?m)^sock = .*\n^sock\.bind.*\n^sock\.connect.*\n`).ReplaceAllString(whole, string(blocks[1][1]))
		source = strings.NewReplacer("sock.send(", "sock.sendto(", " + body)", " + body, sidecar)", "/run/sallyport", dir).Replace(source)
		left, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/game.sock", Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		left.Close() //nolint:errcheck // the file stays, as that of a process that was killed
		begin(t, python, source, "unix:"+dir+"/game.sock", "unix:"+dir+"/own.sock")
	})
}

// begin starts the game, and has alice play on it before two processes of the sidecar, one after the other.
func begin(t *testing.T, python, source, game, own string) {
	t.Helper()
	dir, said := t.TempDir(), new(testkit.Console)
	file := filepath.Join(dir, "game.py")
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
	defer func() {
		cancel()
		cmd.Wait() //nolint:errcheck // it was killed
		if t.Failed() {
			t.Log(said)
		}
	}()
	for range 2 {
		forward(ctx, t, dir, game, own)
	}
	said.Await(t, "alice joined")
	said.Await(t, "alice left, reason 1")
}

// forward has alice play before one process of the sidecar, until she hears what she has sent.
func forward(ctx context.Context, t *testing.T, dir, game, own string) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	ended, out, status := make(chan int, 1), new(testkit.Console), "127.0.0.1:"+testkit.FreePort(t)
	go func() {
		ended <- Run(ctx, nil, []string{
			"-dev", "-dev-file", filepath.Join(dir, "dev.json"), "-listen", "127.0.0.1:0", "-status", status, "-game", game, "-own", own,
		}, out, out)
	}()
	defer func() {
		cancel()
		if code := <-ended; code != exitOK || t.Failed() {
			t.Errorf("exit status %d\n%s", code, out)
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
	defer client.Close() //nolint:errcheck // the session ends with it
	for b := make([]byte, client.MaxPayload()); ; {
		if err := client.Send([]byte("forward")); err != nil {
			t.Fatal(err)
		}
		n, err := client.Receive(ctx, b)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(b[:n], []byte("forward")) {
			return
		}
	}
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
