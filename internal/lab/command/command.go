// Package command reads the command lines of the examples, all in one way: -h
// answers on standard output, a mistake is one sentence on standard error.
package command

import (
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
