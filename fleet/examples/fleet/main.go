package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/internal/lab/command"
)

const help = `Runs a fleet on this machine for some ten seconds: match servers, a NATS server, players,
and a ban that ends a player everywhere. Exit status: 0 if all went as it must, 1 if not.

  go run ./examples/fleet
  go run ./examples/fleet -servers 8 -players 50

`

// matchServer is the argument with which a process is one of the match servers.
const matchServer = "match-server"

// options are the command line's.
type options struct {
	count, players int
	bound          time.Duration
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == matchServer {
		if err := serveMatch(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "match server:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	set := flag.NewFlagSet("fleet", flag.ContinueOnError)
	set.IntVar(&o.count, "servers", 3, "match servers, 2 to 16")
	set.IntVar(&o.players, "players", 16, "honest players on each, 1 to 500")
	set.DurationVar(&o.bound, "bound", 250*time.Millisecond, "how long after the ban a datagram of the banned player may be delivered")
	status, ok := command.Parse(set, help, args, func(rest []string) error { return o.check(rest) }, stdout, stderr)
	if !ok {
		return status
	}
	r, err := play(ctx, o, stdout)
	if err != nil {
		fmt.Fprintln(stderr, "fleet:", err)
		return 1
	}
	r.write(stdout)
	if len(r.failures) > 0 {
		return 1
	}
	return 0
}

func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return errors.New("it takes no arguments")
	case o.count < 2 || o.count > 16:
		return errors.New("-servers is 2 to 16")
	case o.players < 1 || o.players > 500:
		return errors.New("-players is 1 to 500")
	case o.bound <= 0:
		return errors.New("-bound is a time above zero, such as 250ms")
	}
	return nil
}
