package main

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/lab/attack"
)

// line is a command of README.md.
var line = regexp.MustCompile(`(?m)^go run \./examples/client([^#\n]*)`)

// Each of README.md's commands is one that this program takes, and README.md shows every attack.
// What the commands do is played by the other tests.
func TestReadmeCommands(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, found := range line.FindAllStringSubmatch(string(text), -1) {
		var out bytes.Buffer
		f, code := parse(strings.Fields(found[1]), &out, &out)
		if f == nil {
			t.Errorf("%s: exit status %d: %s", found[0], code, &out)
			continue
		}
		shown = append(shown, f.attack)
	}
	for _, name := range attack.Names() {
		if !slices.Contains(shown, name) {
			t.Errorf("README.md does not show -attack %s", name)
		}
	}
	if len(shown) < 14 {
		t.Errorf("README.md has only %d commands", len(shown))
	}
}
