// Client plays: one bot or many, on a match server of its own or on one that runs elsewhere, and judges whether every
// promise was kept.
//
//	go run ./examples/client
//
// shows 50 players at 60 Hz for 10 seconds, and -h lists the rest. The players are those of
// internal/lab/soak and internal/lab/attack, which test a server; examples/minimal/client is a client
// to begin with.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/sallyport/sallyport/internal/lab/attack"
	"github.com/sallyport/sallyport/internal/lab/command"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/internal/lab/succession"
)

// Exit statuses, which scripts rely on.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2 // a flag or a file: nobody played
	exitInterrupted = 130
)

// tick is how often a server of our own ticks, in ticks a second.
const tick = 60

func main() {
	if succession.IsChild() {
		os.Exit(succession.Child(os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, isTerminal(os.Stderr)))
}

// isTerminal reports whether somebody may be watching.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// run is the program, until it is over or ctx is done.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, watched bool) int {
	f, code := parse(args, stdout, stderr)
	if f == nil {
		return code
	}
	if f.keylog != "" {
		file, err := command.OpenKeyLog(f.keylog)
		if err != nil {
			fmt.Fprintf(stderr, "client: %v\n", err)
			return exitUsage
		}
		defer file.Close() //nolint:errcheck // each line has been written already
		f.config.KeyLog = file
	}
	if watched {
		f.config.Progress = stderr
	}
	r, err := f.play(ctx)
	if err != nil {
		fmt.Fprintf(stderr, "client: %v\n", err)
		return exitUsage
	}
	if err := command.Show(stdout, r, f.json); err != nil {
		fmt.Fprintf(stderr, "client: %v\n", err)
		return exitFailed
	}
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case !r.OK():
		return exitFailed
	}
	return exitOK
}

// play attacks or plays: the report is a *soak.Report, an *attack.Report or a *nakama.Report.
func (f *flags) play(ctx context.Context) (command.Report, error) {
	if f.nakama.url != "" {
		return f.playNakama(ctx)
	}
	target, end, err := f.target(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if f.attack != "" {
		return attack.Run(ctx, attack.Config{Attack: f.attack, Honest: f.config}, target), nil
	}
	return soak.Run(ctx, f.config, target), nil
}
