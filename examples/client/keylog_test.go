package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// With -keylog each player's connection has one line, in a file that nobody else can read.
func TestKeyLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.log")
	r, code := play(t, t.Context(), "-players", "3", "-keylog", path)
	wantOK(t, r, code)
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "CLIENT_RANDOM ") != 3 || strings.Count(string(text), "\n") != 3 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
