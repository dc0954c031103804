package main

import (
	"fmt"
	"io"
	"time"

	"github.com/sallyport/sallyport/audit/chain"
	"github.com/sallyport/sallyport/fleet/internal/show"
)

// verifyReport prints findings as they are found.
type verifyReport struct {
	flags *verifyFlags
	out   io.Writer
	now   time.Time

	printed, faults int
}

// finding is chain.Finding in JSON.
type finding struct {
	Kind     string    `json:"kind"`
	Fault    bool      `json:"fault"`
	Chain    string    `json:"chain,omitempty"`
	From     uint64    `json:"from,omitempty"`
	To       uint64    `json:"to,omitempty"`
	File     string    `json:"file,omitempty"`
	Line     int       `json:"line,omitempty"`
	LastLine int       `json:"last_line,omitempty"`
	Events   uint64    `json:"events,omitempty"`
	Time     time.Time `json:"last_head,omitzero"`
	Text     string    `json:"text"`
}

// add prints a finding, and counts it if it is a fault.
func (r *verifyReport) add(f chain.Finding) {
	fault := f.Kind.Fault() && !r.flags.excused(f, r.now)
	if fault {
		r.faults++
	}
	if r.printed++; r.printed > r.flags.max {
		return
	}
	if r.flags.asJSON {
		show.JSON(r.out, finding{f.Kind.String(), fault, f.Chain, f.From, f.To, f.File, f.Line, f.LastLine, f.Events, f.Time, f.String()})
		return
	}
	word := "note "
	if fault {
		word = "FAULT"
	}
	fmt.Fprintf(r.out, "%s  %v\n", word, f)
}

// end prints the summary and returns the exit status.
func (r *verifyReport) end(s chain.Summary) int {
	whole := r.faults == 0 && s.Lines > 0
	if r.flags.asJSON {
		show.JSON(r.out, map[string]any{"summary": map[string]any{
			"whole": whole, "findings": r.printed, "faults": r.faults, "lines": s.Lines, "chains": s.Chains,
			"heads": s.Heads, "signed": s.Signed, "lost": s.Lost, "suppressed": s.Suppressed,
		}})
	} else {
		r.print(s, whole)
	}
	if whole {
		return exitOK
	}
	return exitFailed
}

func (r *verifyReport) print(s chain.Summary, whole bool) {
	if r.printed > r.flags.max {
		fmt.Fprintf(r.out, "and %d more: -max prints them\n", r.printed-r.flags.max)
	}
	switch {
	case s.Lines == 0:
		fmt.Fprintln(r.out, "NOT WHOLE: there is no line of a chain")
		return
	case whole:
		fmt.Fprint(r.out, "whole: ")
	default:
		fmt.Fprintf(r.out, "NOT WHOLE: %s; ", show.Count(r.faults, "fault"))
	}
	fmt.Fprintf(r.out, "%s of %s, %s", show.Count(s.Lines, "line"), show.Count(s.Chains, "chain"), show.Count(s.Heads, "signed head"))
	if s.Heads > 0 {
		fmt.Fprintf(r.out, ", the newest of %s", s.Signed.Format(time.RFC3339))
	}
	fmt.Fprintf(r.out, "; the writer states %s lost and %d suppressed\n", show.Count(s.Lost, "event"), s.Suppressed)
}
