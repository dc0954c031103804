package chain

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/auditchain"
)

// tester counts findings.
func tester(t *testing.T) (*Verifier, map[Kind]int) {
	t.Helper()
	found := make(map[Kind]int)
	v, err := NewVerifier(Config{Keys: []ed25519.PublicKey{make([]byte, 32)}, AnyOrder: true, Report: func(f Finding) { found[f.Kind]++ }})
	if err != nil {
		t.Fatal(err)
	}
	return v, found
}

// "maxRuns is how many runs of lines … are remembered": memory ends there, and what is forgotten counts as missing.
func TestRunsAreBounded(t *testing.T) {
	v, found := tester(t)
	tr := v.track("x")
	for i := range uint64(maxRuns + 10) {
		v.place(tr, &line{sequence: 2*i + 1})
		if v.runs > maxRuns {
			t.Fatalf("%d runs", v.runs)
		}
	}
	v.flush()
	if found[Missing] != 10 {
		t.Errorf("%d gaps given up, want 10", found[Missing])
	}
}

// "maxChains is of how many chains something is remembered at once": the oldest are judged, once.
func TestChainsAreBounded(t *testing.T) {
	v, found := tester(t)
	for i := range maxChains + 10 {
		v.place(v.track(fmt.Sprint(i)), &line{sequence: 1})
		if len(v.chains) > maxChains {
			t.Fatalf("%d chains", len(v.chains))
		}
	}
	v.flush()
	if found[Open] != maxChains/4 {
		t.Errorf("%d judged, want %d", found[Open], maxChains/4)
	}
}

// Lines with one number, and chains that say to come after one, take bounded memory.
func TestAlikeAreBounded(t *testing.T) {
	v, _ := tester(t)
	tr := v.track("x")
	for i := range 100 {
		l := &line{sequence: 1}
		l.hash[0] = byte(i)
		v.place(tr, l)
		begin := &line{sequence: 1, chain: fmt.Sprint(i)}
		begin.link.Head, begin.link.After = auditchain.Begin, &auditchain.After{ID: "x", Sequence: 1 << 40}
		v.head(v.track(begin.chain), begin, false)
	}
	if n := len(tr.runs[0].last); n != maxAlike {
		t.Errorf("%d lines with one number", n)
	}
	if n := len(tr.claims); n != maxClaims {
		t.Errorf("%d claims", n)
	}
}

// A line of any length is one line.
func TestLongLines(t *testing.T) {
	v, found := tester(t)
	text := strings.Repeat("x", 5*maxLine) + "\n" + strings.Repeat("x", maxLine) + "\n" + strings.Repeat("x", maxLine+1) + "\n"
	if err := v.Read("long", strings.NewReader(text)); err != nil || v.at.line != 3 {
		t.Errorf("%d lines, %v", v.at.line, err)
	}
	v.Close()
	if found[Foreign]+found[Torn] == 0 {
		t.Error("nothing found")
	}
}

// A name or a hash of any length is read, and one of another length than it has is of no chain.
func TestLengthsOfNames(t *testing.T) {
	const id, previous = 2 * 16, 2 * 32 // hex digits
	text := func(chain, previous, after int) []byte {
		return fmt.Appendf(nil, `{"metadata":{"sequence":1},"unmapped":{"chain":{"id":"%s","previous":"%s","after":{"id":"%s","sequence":1}}}}`,
			strings.Repeat("0", chain), strings.Repeat("0", previous), strings.Repeat("1", after))
	}
	for n := range 2*previous + 2 {
		for which, l := range map[string]struct {
			text []byte
			want bool
		}{
			"chain":    {text(n, previous, id), n == id},
			"previous": {text(id, n, id), n == previous},
			"after":    {text(id, previous, n), n == id},
		} {
			if _, ok := parse(l.text); ok != l.want {
				t.Errorf("%s of %d digits: %t", which, n, ok)
			}
			v, found := tester(t)
			if err := v.Read("x", bytes.NewReader(l.text)); err != nil {
				t.Errorf("%s of %d digits: %v", which, n, err)
			}
			if v.Close(); len(found) == 0 {
				t.Errorf("%s of %d digits: nothing found", which, n)
			}
		}
	}
}

// FuzzRead: whatever is in a file, each line is of a chain, or found.
func FuzzRead(f *testing.F) {
	f.Add([]byte("{}\n\n{\"a\":"))
	f.Add([]byte(`{"time":1,"metadata":{"sequence":1},"unmapped":{"chain":{"id":"00112233445566778899aabbccddeeff","head":"begin","torn":true}}}` + "\n"))
	f.Add([]byte(`{"metadata":{"sequence":18446744073709551615},"unmapped":{"lost":1,"chain":{"id":"00112233445566778899aabbccddeeff","previous":"` + strings.Repeat("00", 32) + `","head":"begin","after":{"id":"00112233445566778899aabbccddeefe","sequence":18446744073709551615}}}}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, any := range []bool{false, true} {
			found := 0
			v, err := NewVerifier(Config{Keys: []ed25519.PublicKey{make([]byte, 32)}, AnyOrder: any, Report: func(f Finding) {
				found++
				if f.String() == "" || f.From > f.To || f.File != "" && (f.Line < 1 || f.LastLine < f.Line) {
					t.Errorf("%+v", f)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Read("x", bytes.NewReader(text)); err != nil {
				t.Fatal(err)
			}
			if s := v.Close(); len(text) > 0 && found == 0 { // no chain is whole without a signature
				t.Errorf("nothing found in %q: %+v", text, s)
			}
			if _, err := Last(bytes.NewReader(text), int64(len(text))); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestKindsHaveLabels(t *testing.T) {
	for k := range numKinds + 2 {
		if k < numKinds && k.String() == "" || k >= numKinds && k.String() != fmt.Sprintf("kind %d", k) {
			t.Errorf("%d: %q", uint8(k), k)
		}
		if f := (Finding{Kind: k, From: 2, To: 3}).String(); k < numKinds && f == "" {
			t.Errorf("%v has no sentence", k)
		}
	}
}
