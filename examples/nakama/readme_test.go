//go:build linux

package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// blocks returns the code that README.md has in one language under a heading.
func blocks(t *testing.T, heading, language string) (all []string) {
	t.Helper()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(b), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("README.md has no %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(section, -1) {
		all = append(all, m[1])
	}
	return all
}

// The commands of README.md, in their order: what is built, a server on a database as Debian's, a player of the
// emulator, one command that plays, and the first steps by hand.
func TestReadmeCommands(t *testing.T) {
	bin := needDatabase(t)
	for _, line := range []string{
		"go build -trimpath -buildmode=plugin -o modules/sallyport.so .\n",
		"go build -trimpath -o nakama " + nakamaModule + "\n",
	} {
		if !strings.Contains(strings.Join(blocks(t, "Build", "sh"), ""), line) { // build does so, with what is compiled without optimization
			t.Errorf("README.md does not build by %q", line)
		}
	}
	plugin, server := buildPlugin(t, ""), buildServer(t)
	db, api, console, udp := startDatabase(t, bin), testkit.FreePort(t), testkit.FreePort(t), testkit.FreePort(t)
	commands := slices.DeleteFunc(append(blocks(t, "Run", "sh"), blocks(t, "Play", "sh")...), func(block string) bool {
		return strings.Contains(block, "cognito-local") // here, newPool
	})
	pool := newPool(t)
	script := strings.NewReplacer(
		"sudo -u postgres psql", strings.Join(db.psql(), " "), "127.0.0.1:5432", "127.0.0.1:"+db.port,
		"./nakama ", server+" ", "--runtime.path modules", "--runtime.path "+filepath.Dir(plugin)+" --data_dir "+t.TempDir(),
		"http://127.0.0.1:9229", pool, "127.0.0.1:7350", "127.0.0.1:"+api, "127.0.0.1:7777", "127.0.0.1:"+udp,
		"--socket.address 127.0.0.1", "--socket.address 127.0.0.1 --socket.port "+api+" --console.port "+console,
		"-user alice@example.com)", "-user alice@example.com -duration 1s)",
		" &\n", " >&2 &\nuntil curl -sf http://127.0.0.1:"+api+"/healthcheck >&2; do sleep 0.1; done\n",
	).Replace(strings.Join(commands, ""))
	out := shell(t, "", "trap 'kill $(jobs -p) && wait' EXIT\n"+script)

	if !strings.Contains(out, "verdict     ok") {
		t.Errorf("the client does not play:\n%s", out)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var answer, shown map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &answer); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := json.Unmarshal([]byte(blocks(t, "Play", "json")[0]), &shown); err != nil {
		t.Fatal(err)
	}
	for name := range shown {
		if answer[name] == nil {
			t.Errorf("the answer has no %q, which README.md shows", name)
		}
	}
	if len(answer) != len(shown) || answer["address"] != "127.0.0.1:"+udp {
		t.Errorf("the answer is %v", answer)
	}
}

// newPool is what README.md asks of the emulator: the calls of Cognito that make a pool, a client and a user, and by which
// the user signs in.
func newPool(t *testing.T) (url string) {
	t.Helper()
	idp, sub := testkit.NewIDP(t), newSub()
	url = idp.Serve(t)
	idp.Answer(func(w http.ResponseWriter, r *http.Request) {
		var answer any
		switch _, call, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); call {
		case "":
			w.Write(idp.JWKS()) //nolint:errcheck // whoever asks is gone
			return
		case "CreateUserPool":
			answer = map[string]any{"UserPool": map[string]string{"Id": testkit.Pool}}
		case "CreateUserPoolClient":
			answer = map[string]any{"UserPoolClient": map[string]string{"ClientId": testkit.Client}}
		case "InitiateAuth":
			token := idp.Token(t, sub)
			answer = map[string]any{"AuthenticationResult": map[string]string{"AccessToken": token, "RefreshToken": rand.Text()}}
		}
		_ = json.NewEncoder(w).Encode(answer) // whoever asks is gone
	})
	return url
}

// "Beside your clone of sallyport": a copy of the folder builds, and its tests compile; so does the snippet in place of
// InitModule.
func TestCopiedFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(repository, filepath.Join(folder, "sallyport")); err != nil {
		t.Fatal(err)
	}
	shell(t, folder, blocks(t, "Make it yours", "sh")[0])
	copied := filepath.Join(folder, "mygame")
	shell(t, copied, "go vet .")

	source, err := os.ReadFile("plugin.go")
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(source), "const (")
	head = strings.Replace(head, "\t\"time\"\n", "", 1)
	snippet := head + blocks(t, "In your own plugin", "go")[0]
	if err := os.WriteFile(filepath.Join(copied, "plugin.go"), []byte(snippet), 0o600); err != nil {
		t.Fatal(err)
	}
	shell(t, copied, "go vet .")
}

// shell runs a script to its end, which its first failure is, and returns what it has written to standard output.
func shell(t *testing.T, folder, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-e", "-o", "pipefail", "-c", script)
	var stderr strings.Builder
	cmd.Dir, cmd.Stderr = folder, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s\n%s", err, script, out, fmt.Sprint(&stderr))
	}
	return string(out)
}
