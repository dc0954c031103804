//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// The verdicts of a row.
const (
	ok       = "ok"
	failed   = "FAILED"
	notShown = "not shown" // by this machine or this user
)

// row is a line of the table: what is promised and what was measured.
type row struct {
	what, bound, measured, verdict, command string
}

// worst is the worst verdict of some rows, and failed for none.
func worst(rows []row) string {
	verdict := failed
	for i, r := range rows {
		switch {
		case i == 0, r.verdict == failed:
			verdict = r.verdict
		case r.verdict == notShown && verdict == ok:
			verdict = notShown
		}
		if verdict == failed {
			return failed
		}
	}
	return verdict
}

// judged is a row with a verdict that follows from a comparison.
func judged(held bool, what, bound, format string, args ...any) row {
	r := row{what: what, bound: bound, measured: fmt.Sprintf(format, args...), verdict: ok}
	if !held {
		r.verdict = failed
	}
	return r
}

// writeTable writes the rows, and the command of each part once.
func writeTable(w io.Writer, rows []row, markdown bool) error {
	if markdown {
		return writeMarkdown(w, rows)
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "what\tpromised\tmeasured\tverdict")
	previous := ""
	for _, r := range rows {
		if r.command != previous {
			fmt.Fprintf(t, "%s\t\t\t\n", r.command)
			previous = r.command
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", r.what, r.bound, r.measured, r.verdict)
	}
	return t.Flush()
}

func writeMarkdown(w io.Writer, rows []row) error {
	var b strings.Builder
	b.WriteString("| what | promised | measured | |\n|---|---|---|---|\n")
	previous := ""
	for _, r := range rows {
		if r.command != previous {
			fmt.Fprintf(&b, "| `%s` | | | |\n", r.command)
			previous = r.command
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.what, r.bound, r.measured, r.verdict)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
