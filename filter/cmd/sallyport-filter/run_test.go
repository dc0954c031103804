package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/lab/command"
)

// A limit of 0 is refused: it would be filter.Config's default, and not none.
func TestNoLimitIsZero(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"-hellos", "-returns", "-source", "-host", "-roamer", "-peers", "-stale"} {
		for value, want := range map[string]bool{"0": false, "1": true} {
			if name == "-stale" {
				value += "s"
			}
			var out, errs bytes.Buffer
			_, status, ok := parse([]string{"-interface", "eth0", "-port", "7777", name, value}, &out, &errs)
			if ok != want || !ok && (status != command.Usage || !strings.Contains(errs.String(), name)) {
				t.Errorf("%s %s: status %d, %v: %s", name, value, status, ok, &errs)
			}
		}
	}
}

// -user takes a name of this host, or any number.
func TestOwner(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"root": 0, "0": 0, "65532": 65532, "2147483647": 1<<31 - 1} {
		if got, err := owner(text); got != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "2147483648", "no such user"} {
		if got, err := owner(text); err == nil {
			t.Errorf("%q is user %d", text, got)
		}
	}
}
