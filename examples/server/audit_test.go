package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit/chain"
)

// "-audit-key makes a signed chain of the lines", over a rotation by SIGHUP and a restart, and nothing is missing of it.
func TestAuditChain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	private, public, err := chain.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	key, log := filepath.Join(dir, "key"), filepath.Join(dir, "audit")
	write(t, key, private)
	args := []string{"-dev", "-dev-file", filepath.Join(dir, "dev.json"), "-audit", log, "-audit-key", key}
	p := launch(t, args...)
	p.Find(t, `msg=listening`)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { // else the first file may be empty
		if text, _ := os.ReadFile(log); bytes.Contains(text, []byte("\n")) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing is written to %s", log)
		}
	}
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	p.hup <- os.Interrupt
	p.Find(t, `audit file opened again`)
	p.end(t)
	p = launch(t, args...)
	p.Find(t, `msg=listening`)
	p.end(t)

	pub, err := chain.ParsePublicKeys(public)
	if err != nil {
		t.Fatal(err)
	}
	v, err := chain.NewVerifier(chain.Config{Keys: pub, Report: func(f chain.Finding) { t.Error(f) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{log + ".1", log} {
		text, err := os.ReadFile(path)
		if err != nil || v.Read(path, bytes.NewReader(text)) != nil || strings.Count(string(text), "\n") == 0 {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
	if s := v.Close(); s.Chains != 2 || s.Heads != 4 {
		t.Errorf("%+v", s)
	}
}
