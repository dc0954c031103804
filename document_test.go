package sallyport_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// quotation is a rule in a test's comment, followed by the section that it is from.
var quotation = regexp.MustCompile(`"([^"]+)"\s+(?:// )?PROTOCOL\.md ([0-9.]*[0-9])`)

// block is a byte map, which the tests of its package hold.
var block = regexp.MustCompile("(?s)```.*?```")

// What the tests quote stands in the section of PROTOCOL.md that they name, and every
// section that has a rule is quoted.
func TestQuotations(t *testing.T) {
	proven := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, q := range quotation.FindAllStringSubmatch(string(source), -1) {
			rule, section := plain(strings.ReplaceAll(q[1], "\n// ", " ")), q[2]
			proven[section] = true
			// A quotation may end where the sentence goes on.
			if !strings.Contains(plain(testkit.Section(t, section)), strings.TrimSuffix(rule, ".")) {
				t.Errorf("%s: section %s does not say %q", file, section, rule)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, heading := range regexp.MustCompile(`(?m)^### ([2-9]\.[0-9]+) .*`).FindAllStringSubmatch(testkit.Protocol(t), -1) {
		_, prose, _ := strings.Cut(block.ReplaceAllString(testkit.Section(t, heading[1]), ""), "\n")
		if !proven[heading[1]] && strings.TrimSpace(prose) != "" {
			t.Errorf("no test quotes a rule of %q", heading[0])
		}
	}
}

// plain is text without emphasis, code marks and line ends.
func plain(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("*", "", "`", "").Replace(s)), " ")
}
