package browsertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// match is the example server, running as a program of its own.
type match struct {
	dir  string // of the programs
	file gameserver.File
	url  string // of the status page
}

// start builds the example programs and starts the server.
func start(t *testing.T, args ...string) *match {
	t.Helper()
	m := &match{dir: t.TempDir()}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", m.dir, "./examples/server", "./examples/client")
	build.Dir = filepath.Join("..", "..", "..") // the library's module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.run(t, "server", append([]string{"-dev", "-dev-file", m.devFile(), "-listen", "127.0.0.1:0", "-status", "127.0.0.1:0"}, args...)...)
	eventually(t, func() (err error) {
		m.file, err = gameserver.ReadFile(m.devFile())
		return err
	})
	m.url = strings.TrimSuffix(m.file.TokenURL, "/token")
	return m
}

func (m *match) devFile() string { return filepath.Join(m.dir, "dev.json") }

// run runs a program until the test ends.
func (m *match) run(t *testing.T, name string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(filepath.Join(m.dir, name), args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // killed
		if t.Failed() {
			t.Logf("%s: %s", name, &out)
		}
	})
}

// players lets the example client play until the test ends.
func (m *match) players(t *testing.T, n string) {
	t.Helper()
	m.run(t, "client", "-connect", m.file.Addr, "-dev-file", m.devFile(), "-players", n, "-duration", "10m")
}

// state is what the page is told.
type state struct {
	Players []struct{ Session uint32 }
}

func (m *match) state(t *testing.T) (s state) {
	t.Helper()
	if err := json.Unmarshal(m.get(t, "/state"), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (m *match) get(t *testing.T, path string) []byte {
	t.Helper()
	resp, err := http.Get(m.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// dial joins as a player of this test, who may state anything. The channel gives the error that ends the session.
func (m *match) dial(t *testing.T, subject, platform string) (*transport.Client, <-chan error) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(m.file.CA))
	query := url.Values{"subject": {subject}, "platform": {platform}}
	c, err := transport.Dial(t.Context(), m.file.Addr, transport.ClientConfig{
		RootCAs: roots,
		Token:   func(context.Context) ([]byte, error) { return m.get(t, "/token?"+query.Encode()), nil },
		Session: session.ClientConfig{Fingerprint: session.Fingerprint{Platform: platform}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for b := make([]byte, 1500); ; {
			if _, err := c.Receive(context.Background(), b); err != nil {
				ended <- err
				return
			}
			c.Send([]byte("here")) //nolint:errcheck // Receive says how it ended
		}
	}()
	t.Cleanup(func() { c.Close() }) //nolint:errcheck // the socket is gone either way
	return c, ended
}

// litter sends datagrams that are nobody's.
func (m *match) litter(t *testing.T, n int) {
	t.Helper()
	conn, err := net.Dial("udp", m.file.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range n {
		b := make([]byte, 60)
		rand.Read(b)
		if _, err := conn.Write(b); err != nil && !os.IsTimeout(err) {
			t.Fatal(err)
		}
	}
}

// eventually wants that f succeeds within some seconds.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
