package main

import (
	"flag"
	"os"
	"strings"
	"testing"
)

// docs/deploy.md says of every flag where it is in a program of one's own.
func TestFlagsAreMapped(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	set := flag.NewFlagSet("server", flag.ContinueOnError)
	(&flags{}).define(set)
	var rows strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `-") {
			rows.WriteString(line)
		}
	}
	set.VisitAll(func(f *flag.Flag) {
		if !strings.Contains(rows.String(), "`-"+f.Name+"`") {
			t.Errorf("no row has -%s", f.Name)
		}
	})
	if n := strings.Count(rows.String(), "`-"); n < 20 {
		t.Errorf("%d flags in the table", n)
	}
}
