package chain_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/chain"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLast(t *testing.T) {
	signer, _ := keys(t)
	lines := log(t, signer)
	whole := strings.Join(lines, "")
	for name, c := range map[string]struct {
		text     string
		sequence uint64
		torn     bool
	}{
		"empty":              {"", 0, false},
		"whole":              {whole, 5, false},
		"without a feed":     {strings.TrimSuffix(whole, "\n"), 5, true},
		"cut off":            {whole[:len(whole)-40], 4, true},
		"others behind":      {whole + "x\n{}\n\n", 5, false},
		"one line":           {lines[0], 1, false},
		"one cut off":        {lines[0][:100], 0, true},
		"long":               {strings.Repeat("x\n", 1<<18) + whole, 5, false},
		"only others":        {strings.Repeat("x\n", 1<<18), 0, false},
		"one that is longer": {strings.Repeat("x", 1<<19) + "\n" + whole, 5, false},
	} {
		end, err := chain.Last(strings.NewReader(c.text), int64(len(c.text)))
		if err != nil || end.Sequence != c.sequence || end.Torn != c.torn || (end.Chain == "") != (c.sequence == 0) {
			t.Errorf("%s: %+v, %v", name, end, err)
		}
		if c.sequence == 5 && end.Hash != sha256.Sum256([]byte(strings.TrimSuffix(lines[len(lines)-1], "\n"))) {
			t.Errorf("%s: another hash", name)
		}
	}
	if _, err := chain.Last(strings.NewReader("x"), 2); err == nil {
		t.Error("a file that has become shorter")
	}
}

// What docs/deploy.md shows: a file to which each start appends.
func Example() {
	appendTo := func(path string, signed []byte) error {
		signer, err := chain.ParseSigner(signed)
		if err != nil {
			return err
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		end, err := chain.Last(file, info.Size())
		if err != nil {
			return err
		}
		sink, err := audit.NewJSON(file, audit.JSONConfig{Chain: &audit.ChainConfig{Signer: signer, After: end}})
		if err != nil {
			return err
		}
		sink.Record(audit.Event{Decision: audit.Accept})
		return sink.Close()
	}

	private, public, _ := chain.GenerateKey()
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "audit.json")
	for range 2 {
		if err := appendTo(path, private); err != nil {
			panic(err)
		}
	}

	text, _ := os.ReadFile(path)
	pub, _ := chain.ParsePublicKeys(public)
	show := func(text []byte, pub []ed25519.PublicKey) {
		v, _ := chain.NewVerifier(chain.Config{Keys: pub, Report: func(f chain.Finding) {
			f.Chain = "" // random
			fmt.Println(f)
		}})
		v.Read("audit.json", bytes.NewReader(text))
		s := v.Close()
		fmt.Println(s.Lines, s.Chains, s.Faults())
	}
	show(text, pub)
	show(bytes.Replace(text, []byte("accept"), []byte("reject"), 1), pub)
	// Output:
	// 6 2 0
	// audit.json:2: line 2 was altered: line 3 was written after something else
	// 6 2 1
}
