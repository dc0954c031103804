package token_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

// "A label quotes nothing of the token" docs/fleet.md 5.2. That table has every Check, in order.
func TestDocumentChecks(t *testing.T) {
	section := testkit.SectionOf(t, testkit.FleetDocument, "5.2")
	var labels, want []string
	for _, row := range regexp.MustCompile("\n\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		labels = append(labels, row[1])
	}
	for c := token.CheckNone + 1; !strings.HasPrefix(c.String(), "check "); c++ {
		want = append(want, c.String())
	}
	if !slices.Equal(labels, want) {
		t.Errorf("docs/fleet.md 5.2 has %q, want %q", labels, want)
	}
}
