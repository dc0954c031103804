package main

import (
	"bytes"
	"strings"
	"testing"
)

// sallyport runs the program with arguments and returns its exit status and what it printed.
func sallyport(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(t.Context(), console{strings.NewReader(""), &out, &err}, args)
	return status, out.String(), err.String()
}

func TestDispatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   []string
		status int
		stderr string
	}{
		{nil, exitUsage, "sallyport: a subcommand is missing (-h lists them)\n"},
		{[]string{"frob"}, exitUsage, "sallyport: there is no subcommand \"frob\" (-h lists them)\n"},
	} {
		if status, out, err := sallyport(t, c.args...); status != c.status || out != "" || err != c.stderr {
			t.Errorf("%q: %d, %q, %q", c.args, status, out, err)
		}
	}
	status, out, err := sallyport(t, "-h")
	if status != exitOK || err != "" || !strings.HasSuffix(out, exitHelp) {
		t.Errorf("-h: %d, %q, %q", status, out, err)
	}
	for _, s := range commands {
		if !strings.Contains(out, "  "+s.name+" ") {
			t.Errorf("-h does not list %s", s.name)
		}
	}
}
