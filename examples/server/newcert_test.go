package main

import (
	"bytes"
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/internal/testkit"
)

// "-new-cert: write a self-signed certificate for these hosts": the pair is for a server, the key
// is its owner's alone, and files that are there are kept.
func TestNewCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	args := []string{"-new-cert", "play.example,192.0.2.7,localhost", "-cert", cert, "-key", key}
	var out bytes.Buffer
	if code := run(t.Context(), nil, args, &out, &out); code != exitOK {
		t.Fatal(code, out.String())
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"play.example", "192.0.2.7", "localhost"} {
		if err := pair.Leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", info.Mode(), err)
	}
	if n := len(pair.Leaf.DNSNames); n != 2 {
		t.Errorf("the certificate has %d names, want play.example and localhost once", n)
	}
	before, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if code := run(t.Context(), nil, args, &out, &out); code != exitUsage || !strings.Contains(out.String(), "key.pem exists: remove it, or name other files") {
		t.Errorf("exit status %d: %s", code, &out)
	}
	if after, _ := os.ReadFile(key); !bytes.Equal(before, after) {
		t.Error("the key was replaced")
	}
}

// "With -dev-public other machines of your network play too": they fetch /dev at the address that
// they see. Without it, it is a loopback one.
func TestDevPublic(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dev.json")
	p := launch(t, "-dev", "-dev-public", "-dev-file", file, "-status", "0.0.0.0:0", "-listen", "0.0.0.0:0")
	port := p.Find(t, `status=http://\S+:(\d+)`)
	f, err := gameserver.FetchFile(t.Context(), "http://127.0.0.2:"+port+"/dev") // as another machine would
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(f.Addr, "127.0.0.2:") || f.TokenURL != "http://127.0.0.2:"+port+"/token" {
		t.Errorf("%+v", f)
	}
	m, err := soak.Remote("127.0.0.1"+strings.TrimPrefix(f.Addr, "127.0.0.2"), f)
	if err != nil {
		t.Fatal(err)
	}
	soakFor(t, m)
	p.end(t)

	p = launch(t, "-dev", "-dev-file", file, "-status", "0.0.0.0:0")
	p.Await(t, "its status address must be a loopback one")
}

// shell is a block of commands, and python a program with the file's name before it.
var (
	shell  = regexp.MustCompile("(?s)```sh\n(.*?)```")
	python = regexp.MustCompile("(?s)`([a-z]+\\.py)`:\n\n```python\n(.*?)```")
)

// A login without Go: what docs/login.md says, word for word, lets a player in.
func TestLoginDocument(t *testing.T) {
	if testing.Short() {
		t.Skip("its programs are built without the race detector")
	}
	for _, tool := range []string{"openssl", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			testkit.Need(t, testkit.Install("openssl", "python3"))
		}
	}
	text, err := os.ReadFile("../../docs/login.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, ".", "../client").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program := python.FindStringSubmatch(string(text))
	if program == nil || strings.Count(program[2], "\n") > 15 {
		t.Fatal("no short program in Python")
	}
	write(t, filepath.Join(dir, program[1]), []byte(program[2]))
	log := &testkit.Console{}
	commands := 0
	for _, block := range shell.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			commands++
			line = strings.ReplaceAll(strings.TrimSpace(line), "go run ./examples", bin)
			if strings.Contains(line, "-connect") {
				line = strings.ReplaceAll(line, "127.0.0.1:7777", log.Find(t, `msg=listening addr=(\S+)`)) + " -duration 500ms"
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", "exec "+line)
			cmd.Dir = dir
			if strings.Contains(line, "-issuer") {
				cmd.Args[2] += " -listen 127.0.0.1:0 -status ''"
				cmd.Stdout, cmd.Stderr = log, log
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				defer cmd.Wait()         //nolint:errcheck // killed
				defer cmd.Process.Kill() //nolint:errcheck // it has ended
				continue
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", line, err, out)
			}
		}
	}
	if commands != 6 {
		t.Errorf("%d commands", commands)
	}
}
