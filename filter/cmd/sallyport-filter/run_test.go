package main

import "testing"

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
