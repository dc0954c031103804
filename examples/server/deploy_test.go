package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// The unit's command line is one that the server takes, and systemd takes the unit.
func TestUnit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("deploy/sallyport.service")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^ExecStart=((?:.*\\\n)*.*)$`).FindStringSubmatch(string(text))
	if command == nil {
		t.Fatal("no ExecStart")
	}
	args := strings.Fields(strings.ReplaceAll(command[1], "\\\n", " "))
	dir := t.TempDir()
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "/var/lib/sallyport", dir)
	}
	var out testkit.Console
	if f, status := parse(args[1:], &out, &out); f == nil {
		t.Errorf("exit status %d: %s", status, &out)
	}
	if !regexp.MustCompile(`(?m)^StateDirectory=sallyport$`).Match(text) {
		t.Error("the snapshot's folder is not made")
	}
	verifyUnit(t, strings.Replace(string(text), args[0], "/bin/true", 1))
}

// verifyUnit has systemd read a unit, and judge how much it leaves open: 0 is nothing, 10 all.
func verifyUnit(t *testing.T, text string) {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil && os.Getenv("CI") != "" {
		if err = testkit.Install("systemd"); err == nil {
			path, err = exec.LookPath("systemd-analyze")
		}
	}
	testkit.Need(t, err)
	unit := filepath.Join(t.TempDir(), "sallyport.service")
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	if out, err := exec.Command(path, "security", "--offline=true", "--threshold=15", unit).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}

// instruction is a line of a Dockerfile.
var instruction = regexp.MustCompile(`(?m)^([A-Z]+) (.+)$`)

// The image's build command builds a program that needs nothing else of its image, and runs as
// nobody. Without cgo that builds half the standard library anew, 20 s of a processor: once, in CI.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("deploy/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var build, user string
	known := []string{"FROM", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "ENTRYPOINT"}
	lines := instruction.FindAllStringSubmatch(string(text), -1)
	for _, l := range lines {
		switch {
		case !slices.Contains(known, l[1]):
			t.Errorf("instruction %s", l[1])
		case l[1] == "USER":
			user = l[2]
		case strings.Contains(l[2], " go build "):
			build = l[2]
		}
	}
	if n := len(regexp.MustCompile(`(?m)^[^#\n]`).FindAllString(string(text), -1)); n != len(lines) {
		t.Errorf("%d of %d lines are instructions", len(lines), n)
	}
	if user == "" || strings.HasPrefix(user, "0") || strings.HasPrefix(user, "root") {
		t.Errorf("runs as user %q", user)
	}
	if testing.Short() || os.Getenv("CI") == "" {
		return
	}
	program := filepath.Join(t.TempDir(), "sallyport-server")
	cmd := exec.Command("sh", "-c", strings.Replace(build, "/sallyport-server", program, 1))
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	if out, err := exec.Command(program, "-h").CombinedOutput(); err != nil || !strings.Contains(string(out), "-snapshot") {
		t.Errorf("-h: %v\n%s", err, out)
	}
	out, err := exec.Command("ldd", program).CombinedOutput()
	if !errors.Is(err, exec.ErrNotFound) && !strings.Contains(string(out), "not a dynamic executable") {
		t.Errorf("not static: %s", out)
	}
}
