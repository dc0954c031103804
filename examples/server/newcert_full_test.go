package main

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// "writes a PEM file, or nothing": a file that cannot be written to its end does not stay.
func TestNewCertificateLeavesNoHalf(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key.pem")
	bad := &pem.Block{Type: "PRIVATE KEY", Headers: map[string]string{"a:b": ""}} // which pem.Encode refuses
	if err := writeNew(path, 0o600, bad); err == nil {
		t.Fatal("no error")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
