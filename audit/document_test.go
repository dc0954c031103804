package audit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// The table of docs/fleet.md 11 has every Drop, in order, and nothing else.
func TestDocumentDrops(t *testing.T) {
	var want strings.Builder
	want.WriteString("| label | meaning |\n|---|---|\n")
	for d := DropNone + 1; d < numDrops; d++ {
		fmt.Fprintf(&want, "| `%v` | %s |\n", d, d.Describe())
	}
	section := testkit.SectionOf(t, testkit.FleetDocument, "11")
	if _, got, _ := strings.Cut(section, "\n\n| "); "| "+got != want.String() {
		t.Errorf("docs/fleet.md 11 has\n| %s\nwant\n%s", got, want.String())
	}
}
