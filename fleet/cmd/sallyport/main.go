package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

const help = `sallyport operates a fleet of match servers.

usage: sallyport SUBCOMMAND [flags]
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, console{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
}

// run is the program, until it is over or ctx is done.
func run(ctx context.Context, c console, args []string) int {
	return dispatch(ctx, c, "sallyport", help, "\n"+exitHelp, commands, args)
}
