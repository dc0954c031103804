package sallyport_test

import (
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

//go:generate go test ./internal/wire -run TestFrameVectorsFile -update
//go:generate go test ./internal/lanes -run TestVectors$ -update
//go:generate go test -run TestVectorsOfDocuments -update .

var update = flag.Bool("update", false, "write the test vectors of PROTOCOL.md and docs/fleet.md anew, from the files that they name")

// region is a part of a document that is generated from a file.
type region struct {
	document, section string
	begin             string // in the document, before what is generated
	generate          func(t *testing.T, data []byte) string
}

var regions = []region{
	{"PROTOCOL.md", "15.1", "envelopes", envelopeText},
	{"PROTOCOL.md", "15.2", "tag input", tagInputText},
	{"PROTOCOL.md", "15.3", "schedules", scheduleText},
	{"PROTOCOL.md", "15.4", "proofs", proofText},
	{"PROTOCOL.md", "15.5", "frames", frameText},
	{"PROTOCOL.md", "15.6", "parity", parityText},
	{"PROTOCOL.md", "15.6", "acknowledgements", ackText},
	{"PROTOCOL.md", "15.6", "packing", packingText},
	{"PROTOCOL.md", "15.6", "exchange", exchangeText},
	{testkit.FleetDocument, "15.4", "tickets", ticketText},
}

// vectorFile is the file that a section names, in which a program finds its vectors.
var vectorFile = regexp.MustCompile("`([a-z/]+/testdata/[a-z]+\\.json)`")

// The vectors in the documents are generated from the files that their sections name. After a
// change of a file `go generate .` writes them anew.
func TestVectorsOfDocuments(t *testing.T) {
	for _, r := range regions {
		begin, end := "<!-- generated: "+r.begin+" -->\n", "<!-- end of "+r.begin+" -->\n"
		text, err := os.ReadFile(r.document)
		if err != nil {
			t.Fatal(err)
		}
		before, rest, ok := strings.Cut(string(text), begin)
		got, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s lacks %q or %q", r.document, begin, end)
		}
		name := vectorFile.FindStringSubmatch(testkit.SectionOf(t, r.document, r.section))
		if name == nil {
			t.Fatalf("%s %s names no file", r.document, r.section)
		}
		data, err := os.ReadFile(name[1])
		if err != nil {
			t.Fatalf("%s %s: %v", r.document, r.section, err)
		}
		want := "\n" + r.generate(t, data)
		if got == want {
			continue
		}
		if !*update {
			t.Errorf("%s %s is not what go generate makes of %s", r.document, r.section, name[1])
			continue
		}
		if err := os.WriteFile(r.document, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// decode reads a file of vectors.
func decode[T any](t *testing.T, data []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
