//go:build unix

package command

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A key log is written to a new file, or on to one's own; never to where somebody else has led it.
func TestOpenKeyLog(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	for range 2 { // new, then the same again
		file, err := OpenKeyLog(at("keys"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString("line\n"); err != nil {
			t.Error(err)
		}
		file.Close() //nolint:errcheck // read below
	}
	if text, err := os.ReadFile(at("keys")); err != nil || string(text) != "line\nline\n" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(at("keys")); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for name, make := range map[string]func(path string) error{
		"a link":       func(path string) error { return os.Symlink(at("target"), path) },
		"another name": func(path string) error { return os.Link(at("keys"), path) },
		"for all":      func(path string) error { return os.WriteFile(path, nil, 0o644) },
		"a pipe":       func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		if err := make(at(name)); err != nil {
			t.Fatal(err)
		}
		if file, err := OpenKeyLog(at(name)); !errors.Is(err, errOther) {
			t.Errorf("%s: %v", name, err)
			if file != nil {
				file.Close() //nolint:errcheck // the test has failed
			}
		}
	}
	if _, err := os.Stat(at("target")); err == nil {
		t.Error("a link was followed")
	}
}
