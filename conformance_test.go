package sallyport_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/vectors"
)

const checker = "conformance/check.py"

// python runs the reader of conformance/ and returns what it prints and whether it was content.
func python(t *testing.T, input []byte, args ...string) (out string, ok bool) {
	t.Helper()
	if testing.Short() {
		t.Skip("another program, and the same whatever is linked")
	}
	program, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3 is missing: .ci/run installs it")
		}
		t.Skip("python3 is missing: on Debian, apt-get install python3")
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"-B", checker}, args...)...)
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if stderr.Len() > 0 {
		t.Logf("%s", stderr.Bytes())
	}
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return string(b), err == nil
}

var checked = regexp.MustCompile(`(?m)^(\S+) +(.+?) +(\d+) +(\d+) +(\d+)$`)

// A reader made from the documents alone agrees with every vector, and has checked each of them.
func TestConformance(t *testing.T) {
	out, ok := python(t, nil)
	if !ok {
		t.Fatalf("%s\n%s", checker, out)
	}
	rows := map[string][]string{}
	for _, row := range checked.FindAllStringSubmatch(out, -1) {
		rows[row[2]] = row
	}
	for _, g := range vectors.Of(t).Groups {
		row, n := rows[g.Name], fmt.Sprint(len(g.Vectors))
		if row == nil || row[1] != g.Section || row[3] != n || row[5] != n || row[4] == "0" || n == "0" {
			t.Errorf("%q has %s vectors, and the reader says %q", g.Name, n, row)
		}
	}
}

// Each value of the file matters: the reader fails whichever of them is another one.
func TestConformanceNotices(t *testing.T) {
	if out, ok := python(t, nil, "--mutate"); !ok || !strings.Contains(out, " 0 of them not noticed") {
		t.Errorf("%s --mutate\n%s", checker, out)
	}
	// And it names vector and field.
	file := string(vectors.Bytes(t))
	changes := []struct{ from, to, says string }{
		{`"token": "6964656e746974792d746f6b656e"`, `"token": "6964656e746974792d746f6b656f"`, "FAIL envelopes/hello: fields: expected {"},
		{`"digest": "1c58`, `"digest": "1c59`, "FAIL schedules/schedule 1: digest: expected 1c59"},
		{`"reason": "malformed"`, `"reason": "version"`, ": expected refused as version, read refused as malformed"},
		{`"kind": "parity"`, `"kind": "party"`, "FAIL parity/message 1: the kind party is not known"},
		{`"vectors": [`, `"vectors": [{"name": "nothing"},`, "FAIL restored numbers/nothing: 'highest': expected a field, read none"},
		{`"name": "empty whole"`, `"name": "whole"`, "FAIL frames/whole: expected a name of its own"},
	}
	changed := file
	for _, c := range changes {
		before := changed
		if changed = strings.Replace(changed, c.from, c.to, 1); changed == before {
			t.Fatalf("the file has no %s", c.from)
		}
	}
	out, ok := python(t, []byte(changed), "--against", "-")
	for _, c := range changes {
		if ok || !strings.Contains(out, c.says) {
			t.Errorf("%s becomes %s: content %v, and it prints\n%s", c.from, c.to, ok, out)
		}
	}
	for _, nothing := range []string{`{"groups": []}`, strings.Replace(file, `"groups"`, `"group"`, 1)} {
		if out, ok := python(t, []byte(nothing), "--against", "-"); ok {
			t.Errorf("it is content with nothing:\n%s", out)
		}
	}
}

// Every vector that a document names is in the file, under the group of its region, and the other way
// round.
func TestConformanceNames(t *testing.T) {
	groups := map[string]vectors.Group{}
	for _, g := range vectors.Of(t).Groups {
		groups[g.Name] = g
	}
	bold, row := regexp.MustCompile(`(?m)^\*\*(.+)\*\*$`), regexp.MustCompile(`(?m)^\| (.+?) \| .*\|$`)
	for _, r := range regions {
		text, err := os.ReadFile(r.document)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "<!-- generated: "+r.group+" -->\n")
		rest, _, _ = strings.Cut(rest, "<!-- end of "+r.group+" -->\n")
		named := bold.FindAllStringSubmatch(rest, -1)
		if named == nil { // a table: a heading, and a row for each
			if named = row.FindAllStringSubmatch(rest, -1); named != nil {
				named = named[1:]
			}
		}
		var got, want []string
		for _, n := range named {
			got = append(got, n[1])
		}
		for _, raw := range groups[r.group].Vectors {
			var v struct{ Name string }
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			want = append(want, v.Name)
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s names in %q\n%q, and the file\n%q", r.document, r.group, got, want)
		}
	}
}

// conformance/README.md has a row for each kind of group, and no other.
func TestConformanceKinds(t *testing.T) {
	text, err := os.ReadFile("conformance/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n| kind | members of a vector |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(table, -1) {
		rows[row[1]] = true
	}
	used := map[string]bool{}
	for _, g := range vectors.Of(t).Groups {
		if used[g.Kind] = true; !rows[g.Kind] {
			t.Errorf("conformance/README.md lacks the kind %q", g.Kind)
		}
		if g.What == "" {
			t.Errorf("group %q does not say what it is", g.Name)
		}
	}
	for kind := range rows {
		if !used[kind] {
			t.Errorf("conformance/README.md has the kind %q, which no group has", kind)
		}
	}
}
