//go:build linux

// Prove shows in one run what load Sallyport holds, which faults it survives and how many bad inputs
// it was given. Each part is a command of its own, whose figures it reads and compares with what is
// promised.
//
//	jobs.go     the commands
//	read.go     what they print, as rows
//	table.go    the table at the end
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/internal/lab/command"
)

const help = `Prove runs each part of the proof, one after the other, and shows a table at the end. It is to be run
in the module's root, on a machine that does nothing else. Floods need Linux and two processors; as root
it shows more.

  make prove                                          two and a half hours, two of them for the soak
  go run ./internal/lab/prove -quick                  minutes
  go run ./internal/lab/prove -only flood,hostile     parts of it

The exit status is 0 if every promise was kept, 1 if one was not, 2 for flags that cannot be used.
`

// options are the flags.
type options struct {
	quick    bool
	only     string
	soak     time.Duration
	markdown bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("prove", flag.ContinueOnError)
	o := options{}
	set.BoolVar(&o.quick, "quick", false, "shorter runs and fewer inputs, in minutes")
	set.StringVar(&o.only, "only", "", "`parts` to run, with commas between them: "+strings.Join(names(), ", "))
	set.DurationVar(&o.soak, "soak", 2*time.Hour, "how long the soak lasts without -quick")
	set.BoolVar(&o.markdown, "markdown", false, "write the table in Markdown")
	check := func(rest []string) error {
		if err := command.NoRest(rest); err != nil {
			return err
		}
		for _, name := range o.parts() {
			if !slices.Contains(names(), name) {
				return fmt.Errorf("-only %q: must be among %s", name, strings.Join(names(), ", "))
			}
		}
		return nil
	}
	if status, ok := command.Parse(set, help, args, check, stdout, stderr); !ok {
		return status
	}
	rows := prove(ctx, o, stderr)
	if err := writeTable(stdout, rows, o.markdown); err != nil {
		fmt.Fprintf(stderr, "prove: %v\n", err)
		return 1
	}
	if ctx.Err() != nil || slices.ContainsFunc(rows, func(r row) bool { return r.verdict == failed }) {
		return 1
	}
	return 0
}

// parts are those of -only.
func (o *options) parts() []string {
	return strings.FieldsFunc(o.only, func(r rune) bool { return r == ',' || r == ' ' })
}

// prove runs the jobs, and says what it is doing.
func prove(ctx context.Context, o options, progress io.Writer) (rows []row) {
	chosen := jobs
	if only := o.parts(); len(only) > 0 {
		chosen = slices.DeleteFunc(slices.Clone(jobs), func(j job) bool { return !slices.Contains(only, j.name) })
	}
	for i, j := range chosen {
		if ctx.Err() != nil {
			return append(rows, row{what: "the rest", measured: "interrupted", verdict: failed})
		}
		line := j.command(o)
		fmt.Fprintf(progress, "%d of %d, %s: %s\n", i+1, len(chosen), j.name, line)
		began := time.Now()
		found := j.run(ctx, line, progress)
		for _, r := range found {
			r.command = line.String()
			rows = append(rows, r)
		}
		fmt.Fprintf(progress, "   %s after %v\n", worst(found), time.Since(began).Round(time.Second))
	}
	return rows
}
