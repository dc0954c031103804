package testkit

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// FleetDocument completes PROTOCOL.md with what no client sees. Its sections have the same numbers.
const FleetDocument = "docs/fleet.md"

// Protocol returns PROTOCOL.md, for tests of the root and of packages up to three folders below it.
func Protocol(t testing.TB) string { return document(t, "PROTOCOL.md") }

// Section returns the text under a numbered heading of PROTOCOL.md, such as 4.9, and under its
// subheadings.
func Section(t testing.TB, number string) string { return SectionOf(t, "PROTOCOL.md", number) }

// SectionOf returns the text under a numbered heading of a document and under its subheadings. The
// document's path is relative to the root.
func SectionOf(t testing.TB, name, number string) string {
	t.Helper()
	level := 2 + strings.Count(number, ".")
	_, s, ok := strings.Cut(document(t, name), "\n"+strings.Repeat("#", level)+" "+number+" ")
	if !ok {
		t.Fatalf("%s has no section %s", name, number)
	}
	if next := regexp.MustCompile("\n#{2," + strconv.Itoa(level) + "} ").FindStringIndex(s); next != nil {
		s = s[:next[0]]
	}
	return s
}

func document(t testing.TB, name string) string {
	t.Helper()
	b, err := []byte(nil), fs.ErrNotExist
	for _, root := range []string{"", "../", "../../", "../../../"} {
		if errors.Is(err, fs.ErrNotExist) {
			b, err = os.ReadFile(root + name)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
