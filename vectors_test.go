package sallyport_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/vectors"
)

//go:generate go test -p 1 ./replay ./internal/retry ./internal/wire ./internal/record ./internal/resume ./internal/machine ./internal/lanes -run ^TestVectors -update
//go:generate go test -run TestVectorsOfDocuments -update .

// region is a part of a document that is generated from a group of the vectors.
type region struct {
	document, section string
	group             string
	generate          func(t *testing.T, data []byte) string // from a list of vectors as JSON
}

var regions = []region{
	{"PROTOCOL.md", "7.2", "restored numbers", numberText},
	{"PROTOCOL.md", "7.3", "window", windowText},
	{"PROTOCOL.md", "15.1", "envelopes", envelopeText},
	{"PROTOCOL.md", "15.1", "closes of other versions", envelopeText},
	{"PROTOCOL.md", "15.1", "refused envelopes", refusedText},
	{"PROTOCOL.md", "15.1", "parts", partsText},
	{"PROTOCOL.md", "15.1", "assembly", assemblyText},
	{"PROTOCOL.md", "15.1", "destinations", destinationText},
	{"PROTOCOL.md", "15.2", "tag input", tagInputText},
	{"PROTOCOL.md", "15.3", "schedules", scheduleText},
	{"PROTOCOL.md", "15.3", "exporters", exporterText},
	{"PROTOCOL.md", "15.3", "received datagrams", receivedText},
	{"PROTOCOL.md", "15.3", "copies of a CLOSE", copiesText},
	{"PROTOCOL.md", "15.4", "proofs", proofText},
	{"PROTOCOL.md", "15.4", "refused proofs", refusedProofText},
	{"PROTOCOL.md", "15.4", "records", recordText},
	{"PROTOCOL.md", "15.4", "refused records", refusedText},
	{"PROTOCOL.md", "15.5", "frames", frameText},
	{"PROTOCOL.md", "15.5", "malformed frames", refusedText},
	{"PROTOCOL.md", "15.5", "frames that lanes refuse", refusedText},
	{"PROTOCOL.md", "15.6", "parity", parityText},
	{"PROTOCOL.md", "15.6", "acknowledgements", ackText},
	{"PROTOCOL.md", "15.6", "judged acknowledgements", judgedText},
	{"PROTOCOL.md", "15.6", "taking frames", takingText},
	{"PROTOCOL.md", "15.6", "packing", packingText},
	{"PROTOCOL.md", "15.6", "exchange", exchangeText},
	{"PROTOCOL.md", "15.7", "proofs of address", retryText},
	{testkit.FleetDocument, "15.4", "tickets", ticketText},
	{testkit.FleetDocument, "15.4", "refused tickets", refusedText},
}

// The vectors in the documents are generated from conformance/vectors.json, each group once. After a
// change `go generate .` writes them anew.
func TestVectorsOfDocuments(t *testing.T) {
	groups := map[string]vectors.Group{}
	for _, g := range vectors.Of(t).Groups {
		groups[g.Name] = g
	}
	for _, r := range regions {
		begin, end := "<!-- generated: "+r.group+" -->\n", "<!-- end of "+r.group+" -->\n"
		text, err := os.ReadFile(r.document)
		if err != nil {
			t.Fatal(err)
		}
		before, rest, ok := strings.Cut(string(text), begin)
		got, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s lacks %q or %q", r.document, begin, end)
		}
		if !strings.Contains(testkit.SectionOf(t, r.document, r.section), begin) {
			t.Errorf("%q does not stand in %s %s", r.group, r.document, r.section)
		}
		g, ok := groups[r.group]
		if !ok || g.Document != r.document || g.Section != r.section {
			t.Fatalf("%s: group %q is of %s %s, and stands in %s %s", vectors.File, r.group, g.Document, g.Section, r.document, r.section)
		}
		delete(groups, r.group)
		data, err := json.Marshal(g.Vectors)
		if err != nil {
			t.Fatal(err)
		}
		want := "\n" + r.generate(t, data)
		if got == want {
			continue
		}
		if !vectors.Update() {
			t.Errorf("%s %s: %q is not what go generate makes of %s", r.document, r.section, r.group, vectors.File)
			continue
		}
		if err := os.WriteFile(r.document, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name := range groups {
		t.Errorf("%s: group %q stands in no document", vectors.File, name)
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
