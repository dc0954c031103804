// Package playtest has the players of examples/client play on an example, and judge it.
package playtest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gateway/internal/play"
	"github.com/sallyport/sallyport/gateway/websocket"
	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/internal/testkit"
)

// Play runs the example with this game, and players on it, until the test ends.
func Play(t *testing.T, game play.Game) {
	t.Helper()
	run(t, game, false)
}

// Blocked is Play with players whose network blocks UDP: they come by WebSocket.
func Blocked(t *testing.T, game play.Game) {
	t.Helper()
	run(t, game, true)
}

func run(t *testing.T, game play.Game, blocked bool) {
	t.Helper()
	dir := t.TempDir()
	if _, err := game(t.Context(), dir, "", ""); errors.Is(err, play.ErrMissing) {
		testkit.Need(t, err)
	} else if err != nil {
		t.Fatal(err)
	}
	local := func() string { return "127.0.0.1:" + testkit.FreePort(t) }
	file, out := filepath.Join(dir, "dev.json"), new(testkit.Console)
	port, flags := local(), []string{"-listen", "127.0.0.1:0", "-status", local(), "-dev-file", file}
	if blocked {
		flags = append(flags, "-websocket", port)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		ended <- play.Run(ctx, game, flags, local(), local(), out, out)
	}()
	defer func() {
		cancel()
		if code := <-ended; code != 0 || t.Failed() {
			t.Errorf("exit status %d\n%s", code, out)
		}
	}()
	out.Await(t, "the backend is ready")
	dev, err := gameserver.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	match, err := soak.Remote(dev.Addr, dev)
	if err != nil {
		t.Fatal(err)
	}
	if blocked {
		hole, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}) // nothing comes from there
		if err != nil {
			t.Fatal(err)
		}
		defer hole.Close() //nolint:errcheck // a test's
		match.Addr = hole.LocalAddr().String()
		match.Fallback = (&websocket.Dialer{URL: "wss://" + port + websocket.DefaultPath, TLS: &tls.Config{RootCAs: match.RootCAs}}).Fallback
	}
	r := soak.Run(ctx, soak.Config{Players: 5, Rate: 30, Payload: 64, Duration: 2 * time.Second, Seed: 1}, match)
	var table strings.Builder
	r.WriteTable(&table) //nolint:errcheck // never fails
	if !r.OK() {
		t.Errorf("not as promised:\n%s", &table)
	}
	if len(r.Lanes) == 0 {
		t.Error("there are no lanes")
	}
}

// Lines returns an error if a file of an example is longer than promised.
func Lines(t *testing.T, name string, most int) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "\n"); n > most {
		t.Errorf("%s has %d lines, at most %d are promised", name, n, most)
	}
}
