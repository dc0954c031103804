package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test's own program be a match server, as the example does.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == matchServer {
		main()
		return
	}
	os.Exit(m.Run())
}

// The whole example: it waits for ten seconds of a match.
func TestExample(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out, complaints strings.Builder
	// A busy machine needs longer than the quarter of a second that the example asks for.
	if status := run(ctx, []string{"-servers", "2", "-players", "4", "-bound", "2s"}, &out, &complaints); status != 0 {
		t.Fatalf("exit status %d\n%s%s", status, &out, &complaints)
	}
	for _, want := range []string{
		"match-2 delivered it", "mallory with a fresh token, on match-1: revoked", "on match-2: token already used",
		"ban lifted       mallory, on match-2: let in", "8 of 8 played to the end", "verdict          ok",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"-servers is 2 to 16":   {"-servers", "1"},
		"-players is 1 to 500":  {"-players", "0"},
		"-bound is a time":      {"-bound", "-1s"},
		"it takes no arguments": {"match"},
	} {
		var out, complaints strings.Builder
		if status := run(t.Context(), args, &out, &complaints); status != 2 || !strings.Contains(complaints.String(), want) {
			t.Errorf("%v: %d, %s", args, status, &complaints)
		}
	}
}
