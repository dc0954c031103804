package program

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The command of README.md has flags that the program takes.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^go run (?:-tags \w+ )?\./cmd/sallyport-sidecar ((?:.*\\\n)*.*)$`).FindAllStringSubmatch(string(b), -1)
	if len(commands) == 0 {
		t.Fatal("README.md has no command")
	}
	for _, c := range commands {
		var out strings.Builder
		if f, _ := parse(strings.Fields(strings.ReplaceAll(c[1], "\\\n", " ")), io.Discard, &out); f == nil {
			t.Errorf("%s: %s", c[0], &out)
		}
	}
}
