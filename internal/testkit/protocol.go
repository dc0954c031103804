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

// Protocol is PROTOCOL.md, for the tests of the root and of what lies one or two folders below it.
func Protocol(t testing.TB) string {
	t.Helper()
	b, err := []byte(nil), fs.ErrNotExist
	for _, root := range []string{".", "..", "../.."} {
		if errors.Is(err, fs.ErrNotExist) {
			b, err = os.ReadFile(root + "/PROTOCOL.md")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Section is what stands in PROTOCOL.md under the heading with a number, such as 4.9, and under its subheadings.
func Section(t testing.TB, number string) string {
	t.Helper()
	level := 2 + strings.Count(number, ".")
	_, s, ok := strings.Cut(Protocol(t), "\n"+strings.Repeat("#", level)+" "+number+" ")
	if !ok {
		t.Fatalf("PROTOCOL.md has no section %s", number)
	}
	if next := regexp.MustCompile("\n#{2," + strconv.Itoa(level) + "} ").FindStringIndex(s); next != nil {
		s = s[:next[0]]
	}
	return s
}
