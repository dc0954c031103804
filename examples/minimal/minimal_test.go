package minimal_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// A client without a server says what to do about it.
func TestNoServer(t *testing.T) {
	c := start(t, "client")
	c.reads(t, "cannot sign in at .* is the server running\\? .go run ./examples/minimal/server")
	if err := c.wait(); err == nil {
		t.Error("exit status 0")
	}
}

// Two clients see each other, one ends by itself and one by an interrupt.
func TestPlay(t *testing.T) {
	server := start(t, "server")
	server.reads(t, "login 127.0.0.1:.* players 127.0.0.1:")
	stays, leaves := start(t, "client"), start(t, "client")
	for range 2 {
		server.reads(t, "player-[0-9]+ joined")
	}
	leaves.reads(t, "plays on 127.0.0.1:")
	time.Sleep(time.Second)
	leaves.interrupt(t)
	leaves.reads(t, "inputs +[1-9][0-9]* sent")
	leaves.reads(t, "snapshots +[1-9][0-9]* received")
	leaves.reads(t, "session +x +y")
	for range 2 {
		leaves.reads(t, "[0-9]+ +[0-9]+ +[0-9]+")
	}
	server.reads(t, "player-[0-9]+: player left")
	stays.reads(t, "session +x +y")
	row := stays.reads(t, "[0-9]+ +[0-9]+ +[0-9]+")
	if strings.HasSuffix(row, "500   500") {
		t.Errorf("nobody has moved: %s", row)
	}
	server.interrupt(t)
	for name, p := range map[string]*program{"server": server, "who stays": stays, "who leaves": leaves} {
		if err := p.wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A client whose server ends says so.
func TestServerEnds(t *testing.T) {
	server := start(t, "server")
	server.reads(t, "login")
	client := start(t, "client")
	client.reads(t, "plays on 127.0.0.1:")
	server.interrupt(t)
	client.reads(t, "the session has ended: .*server")
	if err := client.wait(); err == nil {
		t.Error("exit status 0")
	}
}

// folder has the server and the client, which find each other and nobody else.
var folder string

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "sallyport-*"); err != nil {
		log.Fatal(err)
	}
	release := func() {}
	if flag.Parse(); !testing.Short() {
		release, err = build()
	}
	if err != nil {
		log.Print(err)
	}
	code := 1
	if err == nil {
		code = m.Run()
		release()
	}
	os.RemoveAll(folder)
	os.Exit(code)
}

// build builds the programs with a port of their own, until release is called.
func build() (release func(), err error) {
	port, release, err := testkit.Port()
	if err != nil {
		return nil, err
	}
	login := "-X main.loginAddress=127.0.0.1:" + port
	out, err := exec.Command("go", "build", "-ldflags", login, "-o", folder, "./server", "./client").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return release, err
}

// program is one that runs.
type program struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	said  bytes.Buffer
}

// start starts a program, which ends with the test at the latest.
func start(t *testing.T, name string) *program {
	t.Helper()
	if testing.Short() {
		t.Skip("its programs are built without the race detector")
	}
	r := &program{cmd: exec.CommandContext(t.Context(), filepath.Join(folder, name))}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = r.cmd.Stdout
	r.lines = bufio.NewScanner(io.TeeReader(out, &r.said))
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.wait() //nolint:errcheck // killed, or waited for already
		if t.Failed() {
			t.Logf("%s:\n%s", name, &r.said)
		}
	})
	return r
}

// reads returns the next line that has what expr describes.
func (r *program) reads(t *testing.T, expr string) string {
	t.Helper()
	for want := regexp.MustCompile(expr); r.lines.Scan(); {
		if want.Match(r.lines.Bytes()) {
			return r.lines.Text()
		}
	}
	t.Fatalf("no line of the output matches %q", expr)
	return ""
}

// interrupt is Ctrl-C.
func (r *program) interrupt(t *testing.T) {
	t.Helper()
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}

// wait reads what is left and returns the exit status as an error.
func (r *program) wait() error {
	for r.lines.Scan() {
	}
	return r.cmd.Wait()
}
