package chain_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/audit/chain"
	"github.com/sallyport/sallyport/internal/testkit"
)

func TestKeys(t *testing.T) {
	private, public, err := chain.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	_, other, _ := chain.GenerateKey()
	if list, err := chain.ParsePublicKeys(append(bytes.Clone(public), other...)); err != nil || len(list) != 2 || chain.KeyID(list[0]) == chain.KeyID(list[1]) || len(chain.KeyID(list[0])) != 16 {
		t.Errorf("%v, %v", list, err)
	}
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("x"), "public": public, "two": append(bytes.Clone(private), private...)} {
		if _, err := chain.ParseSigner(data); !errors.Is(err, chain.ErrKey) {
			t.Errorf("%s signs: %v", name, err)
		}
	}
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("x"), "private": private, "both": append(bytes.Clone(public), private...)} {
		if _, err := chain.ParsePublicKeys(data); !errors.Is(err, chain.ErrKey) || name == "private" && !strings.Contains(err.Error(), "private key") {
			t.Errorf("%s verifies: %v", name, err)
		}
	}
	for _, keys := range [][]ed25519.PublicKey{nil, {make([]byte, 31)}} {
		if _, err := chain.NewVerifier(chain.Config{Keys: keys}); !errors.Is(err, chain.ErrConfig) {
			t.Errorf("%v: %v", keys, err)
		}
	}
}

// "What is signed is …": OpenSSL agrees, from the package comment alone.
func TestOpenSSL(t *testing.T) {
	_, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("CI") != "" {
		err = testkit.Install("openssl")
	}
	testkit.Need(t, err)
	dir := t.TempDir()
	path := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	private, public, err := chain.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := chain.ParseSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSuffix(log(t, signer)[67], "\n")
	signed, signature, _ := strings.Cut(line, `,"signature":"`)
	signature = strings.TrimSuffix(signature, `"}}}`)
	message := path("message", []byte("sallyport audit head v1\x00"+signed))
	raw := path("signature", unhex(t, signature))
	out, err := exec.Command("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", path("key", public), "-rawin", "-in", message, "-sigfile", raw).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
