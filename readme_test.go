package sallyport_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// fence is a block of code, with the sentence before it.
var fence = regexp.MustCompile("(?s)([^\n]+)\n+```([a-z]+)\n(.*?)```\n")

// Someone who does what README.md says under "A game of your own", word for word, has a server and
// a client of their own that play, and changes what they do. That takes under 30 commands and edits.
// Only the ports are others, since something else may run here on these.
func TestReadmeGame(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("its programs are built without the race detector")
	}
	game := newGame(t)
	for _, block := range fence.FindAllStringSubmatch(readme(t, "A game of your own"), -1) {
		before, language, code := block[1], block[2], block[3]
		switch {
		case language == "sh":
			for line := range strings.Lines(code) {
				game.command(t, strings.TrimSpace(line))
			}
		case strings.Contains(before, "/main.go`:"):
			game.paste(t, before, code)
		case strings.Contains(before, "replace the line"):
			game.replace(t, code)
			game.command(t, "go run ./server")
			game.command(t, "go run ./client")
		}
	}
	if len(game.said) != 2 {
		t.Fatalf("the client was run %d times, want twice", len(game.said))
	}
	for i, want := range []string{" forward\n", " alice: forward\n"} {
		if n := strings.Count(game.said[i], want); n != 3 {
			t.Errorf("the client says %q %d times, not 3:\n%s", want, n, game.said[i])
		}
	}
	if game.steps == 0 || game.steps >= 30 {
		t.Errorf("%d commands and edits", game.steps)
	}
	t.Logf("%d commands and edits", game.steps)
}

// game is what a reader has made.
type game struct {
	folder string // where the next command runs
	ports  *strings.Replacer
	steps  int      // commands and edits
	said   []string // by each client

	server *exec.Cmd // the one that runs
	log    *testkit.Console
}

// newGame returns an empty folder.
func newGame(t *testing.T) *game {
	login := strconv.Quote("127.0.0.1:" + testkit.FreePort(t))
	g := &game{folder: t.TempDir(), ports: strings.NewReplacer(
		"127.0.0.1:7777", "127.0.0.1:0", "dev.Config{}", "dev.Config{Address: "+login+"}", "dev.DefaultAddress", login)}
	t.Cleanup(func() { g.stop() })
	return g
}

func (g *game) stop() {
	if g.server != nil {
		g.server.Process.Kill() //nolint:errcheck // it has ended
		g.server.Wait()         //nolint:errcheck // killed
	}
}

// command does what a line of a shell does: a clone is this repository, and a server runs on.
func (g *game) command(t *testing.T, line string) {
	t.Helper()
	g.steps++
	switch {
	case strings.HasPrefix(line, "git clone "):
		here, err := os.Getwd()
		must(t, err)
		must(t, os.Symlink(here, filepath.Join(g.folder, "sallyport")))
	case strings.HasPrefix(line, "cd "):
		g.folder = filepath.Join(g.folder, strings.TrimPrefix(line, "cd "))
	case line == "go run ./server":
		g.serve(t)
	case line == "go run ./client":
		said := g.run(t, line)
		for range 2 { // a server on a busy machine misses ticks
			if strings.Count(said, "forward\n") < 3 {
				said = g.run(t, line)
			}
		}
		g.said = append(g.said, said)
	default:
		g.run(t, line)
	}
}

// run returns what a command writes.
func (g *game) run(t *testing.T, line string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = g.folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// serve starts the server in place of the one that runs.
func (g *game) serve(t *testing.T) {
	t.Helper()
	g.stop()
	binary := filepath.Join(t.TempDir(), "server")
	g.run(t, "go build -o "+binary+" ./server")
	g.server, g.log = exec.CommandContext(t.Context(), binary), &testkit.Console{}
	g.server.Stdout, g.server.Stderr = g.log, g.log
	must(t, g.server.Start())
	g.log.Await(t, "DEVELOPMENT LOGIN")
}

// paste makes the file that a sentence names.
func (g *game) paste(t *testing.T, sentence, code string) {
	t.Helper()
	g.steps++
	_, rest, _ := strings.Cut(sentence, "`")
	file, _, _ := strings.Cut(rest, "`")
	must(t, os.WriteFile(filepath.Join(g.folder, file), []byte(g.ports.Replace(code)), 0o600))
}

// replace puts a line of the server in place of the one that begins with the same word.
func (g *game) replace(t *testing.T, line string) {
	t.Helper()
	g.steps++
	file := filepath.Join(g.folder, "server", "main.go")
	source, err := os.ReadFile(file)
	must(t, err)
	word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	lines := bytes.SplitAfter(source, []byte("\n"))
	for i, old := range lines {
		if bytes.HasPrefix(bytes.TrimSpace(old), []byte(word)) {
			lines[i] = []byte(line)
		}
	}
	must(t, os.WriteFile(file, bytes.Join(lines, nil), 0o600))
}

// readme returns a section of README.md.
func readme(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	must(t, err)
	_, rest, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("README.md has no section %q", heading)
	}
	section, _, _ := strings.Cut(rest, "\n## ")
	return section
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
