package identity

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// docs/fleet.md has the map of the package comment, and the kinds of values that are written.
func TestDocument(t *testing.T) {
	section := testkit.SectionOf(t, testkit.FleetDocument, "8.1")
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(source), "//\toffset size\n")
	rows, _, _ = strings.Cut(rows, "//\n")
	if rows = strings.ReplaceAll(rows, "//\t", ""); rows == "" || !strings.Contains(section, "offset size\n"+rows) {
		t.Errorf("docs/fleet.md 8.1 lacks the map\n%s", rows)
	}
	for text, kind := range map[string]int{
		"the token has no such claim": kindAbsent, "text: length 2 and value": kindText, "number: IEEE 754, 8 bytes": kindNumber,
		"false": kindFalse, "true": kindTrue, "list: count 1, texts of length 2 and value each": kindList,
	} {
		if row := fmt.Sprintf("| %d | %s |\n", kind, text); !strings.Contains(section, row) {
			t.Errorf("docs/fleet.md 8.1 lacks %q", row)
		}
	}
}
