// Package command reads the command lines of the examples, all in one way: -h
// answers on standard output, a mistake is one sentence on standard error. What a program has found it
// shows in one way, too.
package command

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
)

// Exit statuses that Parse returns.
const (
	OK    = 0 // -h was given and answered
	Usage = 2 // a flag could not be used
)

// Parse reads args into the flags that set defines, and calls check with the
// arguments behind them. When there is nothing to go on with, ok is false and
// status is the exit status.
func Parse(set *flag.FlagSet, help string, args []string, check func(rest []string) error, stdout, stderr io.Writer) (status int, ok bool) {
	set.SetOutput(io.Discard)
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, help)
		set.SetOutput(stdout)
		set.PrintDefaults()
		return OK, false
	}
	if err == nil {
		err = check(set.Args())
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v (-h says more)\n", set.Name(), err)
		return Usage, false
	}
	return OK, true
}

// NoRest returns an error for arguments that are no flags.
func NoRest(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q: everything is a flag", rest[0])
	}
	return nil
}

// Report is the result of a program that judges.
type Report interface {
	OK() bool // every promise was kept
	WriteTable(w io.Writer) error
}

// Show writes a report as a table for people, or as one JSON object.
func Show(w io.Writer, r Report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	return r.WriteTable(w)
}
