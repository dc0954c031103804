package session

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/policy"
)

// section is a section's words, each after one space.
func section(t *testing.T, number string) string {
	t.Helper()
	return strings.Join(strings.Fields(testkit.Section(t, number)), " ")
}

// What the tests quote stands in the section that they name.
func TestQuotes(t *testing.T) {
	quote := regexp.MustCompile(`"([^"]+)"\s+(?:// )?PROTOCOL\.md ([0-9.]*[0-9])`)
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range quote.FindAllStringSubmatch(string(source), -1) {
			found++
			words := strings.TrimSuffix(strings.Join(strings.Fields(strings.ReplaceAll(q[1], "\n// ", " ")), " "), ".")
			if !strings.Contains(section(t, q[2]), words) {
				t.Errorf("%s: section %s does not say %q", file, q[2], words)
			}
		}
	}
	if found < 40 {
		t.Errorf("found %d quotations", found)
	}
}

// The defaults of PROTOCOL.md 12 are those of the code.
func TestDocumentDefaults(t *testing.T) {
	text := section(t, "12")
	for _, row := range []string{
		"| from handshake to HELLO, and from HELLO to the verdict | " + strconv.Itoa(int(helloTimeout.Seconds())) + " s |",
		"| window | 1,024 numbers (64 to 8,192) |",
		"| overlap of epochs | " + strconv.Itoa(int(DefaultOverlap.Seconds())) + " s |",
		"| idle | " + strconv.Itoa(int(DefaultIdle.Seconds())) + " s |",
		"| rate | " + strconv.Itoa(policy.DefaultDatagrams) + " datagrams a second, " + strconv.Itoa(policy.DefaultDatagramBurst) + " at once |",
		"| payload | " + strconv.Itoa(policy.DefaultBytes>>10) + " KiB a second, " + strconv.Itoa(policy.DefaultByteBurst>>10) + " KiB at once |",
		"| state changes in a second: recorded, dropped, revoked | more than " + strconv.Itoa(policy.DefaultFlag) + ", " +
			strconv.Itoa(policy.DefaultLimit) + ", " + strconv.Itoa(policy.DefaultRevoke) + " |",
		"| step up | " + strconv.Itoa(int(policy.DefaultStepUpTime.Seconds())) + " s |",
		"| wrong tags in a row | " + strconv.Itoa(DefaultBadTags) + " |",
	} {
		if !strings.Contains(text, row) {
			t.Errorf("section 12 lacks %q", row)
		}
	}
	if DefaultWindow != 1024 {
		t.Errorf("DefaultWindow %d", DefaultWindow)
	}
}
