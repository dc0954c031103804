// Run measures what a sidecar adds to the way of a datagram, and what it costs beside the library alone:
//
//	go run ./internal/added/run                       100 players at 60 Hz
//	go run ./internal/added/run -players 1000 -rate 20
//
// The players share the machine with the server, so the figures are of a quiet machine or of nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/sallyport/sallyport/gateway/internal/added"
)

func main() {
	self, err := os.Executable()
	if err == nil && len(os.Args) > 2 && os.Args[1] == "child" {
		err = added.Child(self, os.Args[2:], os.Stdin, os.Stdout)
	} else if err == nil {
		err = measure(self)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "added:", err)
		os.Exit(1)
	}
}

func measure(self string) error {
	c := added.Config{Progress: os.Stderr}
	flag.IntVar(&c.Players, "players", 100, "how many play")
	flag.IntVar(&c.Rate, "rate", 60, "payloads a second and player")
	flag.DurationVar(&c.Duration, "duration", 10*time.Second, "how long a round is")
	flag.IntVar(&c.Rounds, "rounds", 3, "rounds of each")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	library, sidecar, err := added.Run(ctx, c, self)
	if err != nil {
		return err
	}
	added.Table(os.Stdout, c, library, sidecar)
	return nil
}
