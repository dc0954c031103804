package gameserver

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/sallyport/sallyport/token"
)

// "The same certificate, and an issuer with the same key": what the one mints, the other accepts.
func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	saved, err := NewDev()
	if err != nil {
		t.Fatal(err)
	}
	if err := saved.Save(dir); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadDev(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(saved.CA, loaded.CA) || !bytes.Equal(saved.Certificate.Certificate[0], loaded.Certificate.Certificate[0]) {
		t.Error("another certificate")
	}
	for _, way := range [][2]*Dev{{saved, loaded}, {loaded, saved}} {
		raw, err := way[0].Issuer.Mint(time.Now(), token.Grant{Subject: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		v, err := way[1].Verifier()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), time.Now(), []byte(raw)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{savedCertificate, savedKey, savedIssuer} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", name, info.Mode())
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("junk"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadDev(dir); err == nil {
			t.Errorf("loaded without %s", name)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if saved.Save(filepath.Join(dir, "missing")) == nil {
		t.Error("saved to a folder that does not exist")
	}
}
