// Run lets thousands of players at a match server and judges whether its process stays as it is
// (package endurance).
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
	"github.com/sallyport/sallyport/internal/lab/endurance"
	"github.com/sallyport/sallyport/internal/lab/succession"
)

const help = `Run lets players at a match server that is a process of its own: honest ones that come and go, lose
datagrams, change sockets and lose their paths, and hostile ones among them. At the end it shows
what they did, and whether the server's goroutines, memory and descriptors have stayed as they were.

  go run ./internal/lab/endurance/run                              a minute
  go run ./internal/lab/endurance/run -duration 2h -svg soak.svg   two hours, and a picture of them

The exit status is 0 if every promise was kept, 1 if one was not, 2 for flags that cannot be used.
`

func main() {
	if succession.IsChild() {
		os.Exit(succession.Child(os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("run", flag.ContinueOnError)
	config := endurance.Config{Progress: stderr}
	set.IntVar(&config.Players, "players", 1000, "how many play at once, besides a few attackers")
	set.DurationVar(&config.Duration, "duration", time.Minute, "how long, joining and leaving included")
	set.Uint64Var(&config.Seed, "seed", 1, "`number` that impairments and churn come from")
	picture := set.String("svg", "", "`file` for a picture of the server's process over time")
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
	report, err := endurance.Run(ctx, config)
	if err == nil {
		err = write(report, stdout, *picture, *asJSON)
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

// write shows the report, and draws it if there is a file to draw it in.
func write(r *endurance.Report, stdout io.Writer, picture string, asJSON bool) error {
	if err := command.Show(stdout, r, asJSON); err != nil || picture == "" {
		return err
	}
	file, err := os.Create(picture)
	if err != nil {
		return err
	}
	if err := r.WriteSVG(file); err != nil {
		file.Close() //nolint:errcheck // err says more
		return err
	}
	return file.Close()
}
