package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/internal/lab/succession"
	"github.com/sallyport/sallyport/internal/lab/tally"
	"github.com/sallyport/sallyport/internal/testkit"
)

// newKeys is a file of fleet keys, as the help says to make it.
func newKeys(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.keys")
	write(t, path, newKey(t))
	return path
}

func newKey(t *testing.T) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), nil, []string{"-new-fleet-key"}, &stdout, &stderr); code != exitOK || stderr.Len() > 0 {
		t.Fatalf("exit status %d, standard error %q", code, &stderr)
	}
	return stdout.Bytes()
}

// "Write a new line for -fleet-keys to standard output": each time another one.
func TestNewFleetKey(t *testing.T) {
	keys, err := fleetkey.Parse(append(newKey(t), newKey(t)...))
	if err != nil || len(keys) != 2 || keys[0].ID() == keys[1].ID() {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func trail(t *testing.T, path string) *tally.Trail {
	t.Helper()
	if text, err := os.ReadFile(path); err != nil || !bytes.HasSuffix(text, []byte("\n")) {
		t.Fatalf("%s: %v, ends with %q", path, err, text[max(len(text)-20, 0):])
	}
	read, err := tally.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// "With -snapshot the server hands its players on when it is stopped, and the next one that starts on the same -listen
// address goes on with them."
func TestHandOn(t *testing.T) {
	dir, keys := t.TempDir(), newKeys(t)
	args := func(number string, more ...string) []string {
		return append([]string{
			"-dev", "-dev-file", filepath.Join(dir, "dev.json"), "-audit", filepath.Join(dir, "audit"+number),
			"-fleet-keys", keys, "-snapshot", filepath.Join(dir, "snapshot"),
		}, more...)
	}
	address := "127.0.0.1:" + testkit.FreePort(t) // nobody else's between the two servers
	first := launch(t, args("1", "-listen", address)...)
	first.Find(t, `msg=listening`)
	f, err := gameserver.ReadFile(filepath.Join(dir, "dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := soak.Remote(f.Addr, f)
	if err != nil {
		t.Fatal(err)
	}
	var second *program
	m.Stats = nil // the status address of the first
	m.Replace = func(context.Context) error {
		first.end(t)
		second = launch(t, args("2", "-listen", address)...)
		second.Find(t, `msg=listening`)
		return nil
	}
	m.Handover = func(context.Context) (h succession.Handover, err error) {
		h.Former, h.Present = trail(t, filepath.Join(dir, "audit1")), trail(t, filepath.Join(dir, "audit2"))
		resp, err := http.Get(second.Find(t, `status=(\S+)`) + "/stats")
		if err != nil {
			return h, err
		}
		defer resp.Body.Close()
		var stats gameserver.Stats
		err = json.NewDecoder(resp.Body).Decode(&stats)
		h.Handshakes = stats.Handshakes
		return h, err
	}
	r := soak.Run(t.Context(), soak.Config{Players: 3, Rate: 60, Payload: 64, Duration: 4 * time.Second, Replace: true}, m)
	if !r.OK() || r.Resumed != 3 {
		t.Errorf("%+v", r)
	}
	first.Find(t, `msg=stopped handed_on=3\n`)
	second.end(t)
}

// "1 … nobody could be handed on"
func TestHandOnFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p := launch(t, "-dev", "-dev-file", filepath.Join(t.TempDir(), "dev.json"), "-fleet-keys", newKeys(t), "-snapshot", filepath.Join(dir, "snapshot"))
	p.Find(t, `msg=listening`)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	p.stop()
	if code := <-p.code; code != exitError || !strings.Contains(p.String(), "msg=stopped error=") {
		t.Errorf("exit status %d: %s", code, &p.Console)
	}
}

// "SIGHUP reads … -fleet-keys for tickets and snapshots to come", and a broken file costs nothing.
func TestFleetKeysReloaded(t *testing.T) {
	keys, log := newKeys(t), filepath.Join(t.TempDir(), "audit")
	p := launch(t, "-dev", "-dev-file", filepath.Join(t.TempDir(), "dev.json"), "-fleet-keys", keys, "-audit", log)
	p.Find(t, `msg=listening`)
	old, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	for text, why := range map[string]string{"junk": "64 more", "": "holds no key"} {
		write(t, keys, []byte(text))
		p.hup <- os.Interrupt
		p.Find(t, "fleet keys kept.*"+why)
	}
	write(t, keys, append(newKey(t), old...))
	p.hup <- os.Interrupt
	p.Find(t, `fleet keys reloaded" keys=2\n`)
	p.end(t)
	if strings.Contains(p.String(), "certificate") {
		t.Errorf("there is none to reload in development:\n%s", &p.Console)
	}
	if n := trail(t, log).Counts()["key rotation"]; n != 1 {
		t.Errorf("%d key rotations audited, want 1", n)
	}
}

func TestFleetUsage(t *testing.T) {
	keys, missing := newKeys(t), filepath.Join(t.TempDir(), "missing", "file")
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), name)
		write(t, path, []byte(text))
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	line := string(newKey(t))
	for want, args := range map[string][]string{
		"give both":               {"-snapshot", filepath.Join(t.TempDir(), "snapshot")},
		"there is no folder":      {"-snapshot", missing, "-fleet-keys", keys},
		"-new-fleet-key > ":       {"-fleet-keys", missing},
		"holds no key":            {"-fleet-keys", file("empty", "# nothing\n", 0o600)},
		"64 more":                 {"-fleet-keys", file("junk", "junk", 0o600)},
		"cannot use -fleet-keys ": {"-fleet-keys", file("twice", line+line, 0o600)},
		"chmod 600":               {"-fleet-keys", file("open", line, 0o640)},
	} {
		if want == "chmod 600" && runtime.GOOS == "windows" {
			continue
		}
		var stdout, stderr bytes.Buffer
		args = append([]string{"-dev", "-listen", "127.0.0.1:0", "-status", "127.0.0.1:0"}, args...)
		code := run(t.Context(), nil, args, &stdout, &stderr)
		if code != exitUsage || stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q: exit status %d, standard output %q, standard error %q, want %q", args, code, &stdout, &stderr, want)
		}
		if strings.Contains(stderr.String(), line[:8]) {
			t.Errorf("quotes a key: %s", &stderr)
		}
	}
}
