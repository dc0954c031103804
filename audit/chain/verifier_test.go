package chain_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/chain"
)

// keys returns a key that signs, and its public key.
func keys(t testing.TB) (crypto.Signer, ed25519.PublicKey) {
	t.Helper()
	private, public, err := chain.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := chain.ParseSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := chain.ParsePublicKeys(public)
	if err != nil || len(pub) != 1 {
		t.Fatal(pub, err)
	}
	return signer, pub[0]
}

// process is a sink that appends to a file in memory.
type process struct {
	*audit.JSON
	file *bytes.Buffer
}

func start(t testing.TB, file *bytes.Buffer, signer crypto.Signer) process {
	t.Helper()
	end, err := chain.Last(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	j, err := audit.NewJSON(file, audit.JSONConfig{PerSecond: -1, Chain: &audit.ChainConfig{Signer: signer, After: end}})
	if err != nil {
		t.Fatal(err)
	}
	return process{j, file}
}

// record writes n lines, a second apart.
func (p process) record(n int) {
	for i := range n {
		p.Record(audit.Event{Decision: audit.Accept, Session: uint32(i + 1), Detail: "x"})
		time.Sleep(time.Second)
		synctest.Wait()
	}
}

// log returns the lines of two processes, one after the other: begin, 60 lines with their mark, 5
// lines, end; begin, 3 lines, end.
func log(t *testing.T, signer crypto.Signer) []string {
	var file bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		for _, n := range []int{65, 3} {
			p := start(t, &file, signer)
			p.record(n)
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return slices.Collect(strings.Lines(file.String()))
}

// verify returns what a verifier finds, and its summary.
func verify(t testing.TB, c chain.Config, files ...string) ([]chain.Finding, chain.Summary) {
	t.Helper()
	var found []chain.Finding
	c.Report = func(f chain.Finding) { found = append(found, f) }
	v, err := chain.NewVerifier(c)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		if err := v.Read(fmt.Sprintf("file%d", i+1), strings.NewReader(f)); err != nil {
			t.Fatal(err)
		}
	}
	s := v.Close()
	return found, s
}

// short is kinds and numbers of findings.
func short(found []chain.Finding) string {
	var s []string
	for _, f := range found {
		s = append(s, fmt.Sprintf("%v %d-%d", f.Kind, f.From, f.To))
	}
	return strings.Join(s, ", ")
}

func TestWhole(t *testing.T) {
	signer, public := keys(t)
	lines := log(t, signer)
	if len(lines) != 1+65+1+1+1+3+1 {
		t.Fatalf("%d lines:\n%s", len(lines), strings.Join(lines, ""))
	}
	found, s := verify(t, chain.Config{Keys: []ed25519.PublicKey{public}}, strings.Join(lines, ""))
	if len(found) != 0 || s.Faults() != 0 || s.Lines != uint64(len(lines)) || s.Chains != 2 || s.Heads != 5 || s.Signed.IsZero() {
		t.Errorf("%v, %+v", found, s)
	}
	for _, cut := range []int{1, 30, 66, 67, 68, 70} { // rotated there
		found, _ := verify(t, chain.Config{Keys: []ed25519.PublicKey{public}}, strings.Join(lines[:cut], ""), strings.Join(lines[cut:], ""))
		if len(found) != 0 {
			t.Errorf("rotated behind line %d: %v", cut, found)
		}
	}
	slices.Reverse(lines)
	if found, _ := verify(t, chain.Config{Keys: []ed25519.PublicKey{public}, AnyOrder: true}, strings.Join(lines, "")); len(found) != 0 {
		t.Errorf("backwards: %v", found)
	}
}

// BenchmarkVerify is what a line costs, with a head in 60.
func BenchmarkVerify(b *testing.B) {
	signer, public := keys(b)
	var file bytes.Buffer
	j, err := audit.NewJSON(&file, audit.JSONConfig{PerSecond: -1, Queue: 1 << 16, Chain: &audit.ChainConfig{Signer: signer}})
	if err != nil {
		b.Fatal(err)
	}
	const lines = 10_000
	for range lines - 2 {
		j.Record(audit.Event{Decision: audit.Accept, Issuer: "https://issuer.example", Subject: "player", TokenID: "id", Session: 7, Scope: "match"})
	}
	j.Close()
	b.SetBytes(int64(file.Len() / lines))
	b.ReportAllocs()
	for n := 0; n < b.N; n += lines {
		v, err := chain.NewVerifier(chain.Config{Keys: []ed25519.PublicKey{public}})
		if err != nil {
			b.Fatal(err)
		}
		if err := v.Read("x", bytes.NewReader(file.Bytes())); err != nil || v.Close().Faults() > 0 {
			b.Fatal(err)
		}
	}
}
