package sallyport_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sallyport/sallyport/internal/testkit"
)

var (
	// quotation is a rule in a test's comment, followed by its document and section; each may stand
	// on the next line of the comment.
	quotation = regexp.MustCompile(`"([^"]+)"\.?\s+(?:// )?(PROTOCOL\.md|docs/fleet\.md)\s+(?:// )?([0-9.]*[0-9])`)

	// comment begins a line of a comment within a quotation.
	comment = regexp.MustCompile(`\n\s*// ?`)

	// heading is that of a section that may have rules.
	heading = regexp.MustCompile(`(?m)^### ((?:[2-9]|16)\.[0-9]+) .*`)

	// block is a byte map, which the tests of its package hold.
	block = regexp.MustCompile("(?s)```.*?```")

	// moved is the text of a section that has moved to the other document.
	moved = regexp.MustCompile(`^See \[docs/fleet\.md\]\([^)]*\)[^.]*\.$`)
)

// Tests quote PROTOCOL.md and docs/fleet.md word for word, from the section that they name. Every
// section that has a rule is quoted.
func TestQuotations(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and the same whatever is linked")
	}
	quoted := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, q := range quotation.FindAllStringSubmatch(string(source), -1) {
			rule, document, section := plain(comment.ReplaceAllString(q[1], " ")), q[2], q[3]
			quoted[document+" "+section] = true
			// A quotation may end where the sentence goes on.
			if !strings.Contains(plain(testkit.SectionOf(t, document, section)), strings.TrimSuffix(rule, ".")) {
				t.Errorf("%s: %s %s does not say %q", file, document, section, rule)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range []string{"PROTOCOL.md", testkit.FleetDocument} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range heading.FindAllStringSubmatch(string(text), -1) {
			section := testkit.SectionOf(t, document, found[1])
			_, prose, _ := strings.Cut(block.ReplaceAllString(section, ""), "\n")
			prose = strings.TrimSpace(prose)
			if !quoted[document+" "+found[1]] && prose != "" && !moved.MatchString(plain(prose)) {
				t.Errorf("no test quotes a rule of %q in %s", found[0], document)
			}
		}
	}
}

// "Documents wrap at 120 columns." CONTRIBUTING.md. Rows of tables cannot be wrapped.
func TestDocumentWidth(t *testing.T) {
	documents, err := filepath.Glob("*.md")
	if err != nil || len(documents) < 5 {
		t.Fatal(documents, err)
	}
	for _, document := range append(documents, testkit.FleetDocument, deployDocument, "docs/porting.md", "examples/nakama/README.md") {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		row := 0
		for line := range strings.Lines(string(text)) {
			if row++; utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 120 && !strings.HasPrefix(line, "| ") {
				t.Errorf("%s:%d is wider than 120 columns", document, row)
			}
		}
	}
}

// claim is a test that SECURITY.md names: its package's folder, and its name.
var claim = regexp.MustCompile("`([a-z0-9/]+)\\.(Test\\w+)`")

// "A test fails if a name here is not that of a test." SECURITY.md
func TestSecurityClaims(t *testing.T) {
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "\n## Each claim, and the tests that hold it\n")
	claims := strings.Split(list, "\n- ")[1:]
	for _, c := range claims {
		named := claim.FindAllStringSubmatch(c, -1)
		if named == nil {
			t.Errorf("no test holds %q", c)
		}
		for _, n := range named {
			if !hasTest(t, n[1], n[2]) {
				t.Errorf("package %s has no %s", n[1], n[2])
			}
		}
	}
	if len(claims) < 10 {
		t.Errorf("only %d claims are found", len(claims))
	}
}

// hasTest reports whether a folder has a test of this name.
func hasTest(t *testing.T, folder, name string) bool {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}

// plain is text without emphasis, code marks and line ends.
func plain(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("*", "", "`", "").Replace(s)), " ")
}
