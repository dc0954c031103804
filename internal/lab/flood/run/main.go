//go:build linux

// Run floods a match server's port while players play (package flood).
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/internal/lab/command"
	"github.com/sallyport/sallyport/internal/lab/flood"
)

const help = `Run lets players at a match server of its own on loopback, floods the server's port with first
ClientHellos from addresses that are not the sender's, and compares with quiet play. It needs Linux,
two processors that do nothing else, and for one column CAP_NET_RAW: on a busy machine, promises about
inputs and times are broken by whatever else runs. The flood fills one processor, and what else the
machine has to do then happens on the server's; with -alone it does not, as on a server's machine that
has processors set apart for it.

  go run ./internal/lab/flood/run                                three times ten seconds
  go run ./internal/lab/flood/run -duration 30s -rate 100000 -alone

The exit status is 0 if every promise was kept, 1 if one was not, 2 for flags that cannot be used.
`

func main() {
	if flood.IsChild() {
		os.Exit(flood.Child(os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("run", flag.ContinueOnError)
	config := flood.Config{Progress: stderr}
	set.IntVar(&config.Players, "players", flood.Players, "how many play, 60 inputs a second each")
	set.IntVar(&config.Rate, "rate", flood.Rate, "ClientHellos a `second`")
	set.DurationVar(&config.Duration, "duration", 10*time.Second, "of quiet play, and of each of two floods")
	set.BoolVar(&config.Alone, "alone", false, "keep other programs and kernel threads off the server's processor meanwhile, which needs root")
	asJSON := set.Bool("json", false, "write one JSON object in place of the table")
	check := func(rest []string) error {
		if err := command.NoRest(rest); err != nil {
			return err
		}
		return config.Check()
	}
	if status, ok := command.Parse(set, help, args, check, stdout, stderr); !ok {
		return status
	}
	report, err := flood.Run(ctx, config)
	if err == nil {
		err = command.Show(stdout, report, *asJSON)
	}
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "run: %v\n", err)
		return 1
	case !report.OK():
		return 1
	}
	return 0
}
