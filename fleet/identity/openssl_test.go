package identity_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/internal/testkit"
)

// docs/operating.md says how openssl makes certificates: two services that have them, and no authority
// but that, accept each other.
func TestDocumentOpenSSL(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		testkit.Need(t, testkit.Install("openssl"))
	}
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Certificates to begin with\n")
	_, section, _ = strings.Cut(section, "```sh\n")
	commands, _, ok := strings.Cut(section, "```")
	if !ok {
		t.Fatal("docs/operating.md has no commands that make certificates")
	}
	dir := t.TempDir()
	make := exec.CommandContext(t.Context(), "sh", "-e", "-c", commands)
	make.Dir = dir
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	source := func(name string) *identity.Source {
		s, err := identity.New(t.Context(), identity.Config{Files: identity.Files{
			Certificate: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+".key"), Bundle: filepath.Join(dir, "fleet.pem"),
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	server := source("match-1")
	url := serve(t, server, server.Require(identity.Ban, handler))
	if status, body := get(source("console-2"), url, identity.GameState); status != 200 || body != "hello" {
		t.Errorf("%d %s", status, body)
	}
}
