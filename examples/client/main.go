// Client plays: one bot or many, on a match server of its own or on one that runs elsewhere, and judges whether every
// promise was kept.
//
//	go run ./examples/client
//
// shows 50 players at 60 Hz for 10 seconds, and -h says the rest. A player is a transport.Client; see
// examples/internal/soak for what it does with it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/examples/internal/gameserver"
	"github.com/sallyport/sallyport/examples/internal/soak"
)

// Exit statuses, which scripts rely on.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2 // a flag or a file: nobody played
	exitInterrupted = 130
)

// Of the embedded server: ticks a second, and how long it may take to say goodbye.
const (
	tick         = 60
	shutdownTime = 5 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, isTerminal(os.Stderr)))
}

// isTerminal says whether somebody may be watching.
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
	match, end, err := f.match()
	if err != nil {
		fmt.Fprintf(stderr, "client: %v\n", err)
		return exitUsage
	}
	if watched {
		f.config.Progress = stderr
	}
	report := soak.Run(ctx, f.config, match)
	end()
	if err := write(stdout, report, f.json); err != nil {
		fmt.Fprintf(stderr, "client: %v\n", err)
		return exitFailed
	}
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case !report.OK():
		return exitFailed
	}
	return exitOK
}

func write(w io.Writer, report *soak.Report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(report)
	}
	return report.WriteTable(w)
}

// embed starts a server in this process; end stops it.
func embed() (match soak.Match, end func(), err error) {
	dev, err := gameserver.NewDev()
	if err != nil {
		return soak.Match{}, nil, err
	}
	verifier, err := dev.Verifier()
	if err != nil {
		return soak.Match{}, nil, err
	}
	server, err := gameserver.Start(gameserver.Config{
		Listen: "127.0.0.1:0", Tick: tick, Certificate: dev.Certificate, Verifier: verifier, Dev: dev,
	})
	if err != nil {
		return soak.Match{}, nil, err
	}
	return soak.Embedded(server, dev), func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		server.Shutdown(ctx) //nolint:errcheck // nobody is left to be told
	}, nil
}
