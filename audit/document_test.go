package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// The table of docs/fleet.md 11.1 has every Drop, in order, and nothing else.
func TestDocumentDrops(t *testing.T) {
	var want strings.Builder
	want.WriteString("| label | meaning |\n|---|---|\n")
	for d := DropNone + 1; d < numDrops; d++ {
		fmt.Fprintf(&want, "| `%v` | %s |\n", d, d.Describe())
	}
	section := testkit.SectionOf(t, testkit.FleetDocument, "11.1")
	if _, got, _ := strings.Cut(section, "\n\n| "); "| "+got != want.String() {
		t.Errorf("docs/fleet.md 11.1 has\n| %s\nwant\n%s", got, want.String())
	}
}

// The table of docs/fleet.md 11.4 has every Decision, in order, and nothing else: "Each line of the audit has one
// decision." docs/fleet.md 11.4
func TestDocumentDecisions(t *testing.T) {
	var got, want []string
	for line := range strings.Lines(testkit.SectionOf(t, testkit.FleetDocument, "11.4")) {
		if label, ok := strings.CutPrefix(line, "| `"); ok {
			label, _, _ = strings.Cut(label, "`")
			got = append(got, label)
		}
	}
	for d := Accept; d < numDecisions; d++ {
		want = append(want, d.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("docs/fleet.md 11.4 has %q, want %q", got, want)
	}
}
