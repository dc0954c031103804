// Command run measures how fast a revocation reaches every server of a fleet, and prints a table:
// eight match servers with real players, three NATS servers of which one after the other is killed.
//
//	go run ./internal/reach/run            # in fleet/
//
// It takes about two minutes. Its exit status is 0 only if every bound was kept.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/sallyport/sallyport/fleet/internal/reach"
)

func main() {
	if reach.IsChild() {
		os.Exit(reach.Child())
	}
	m := reach.Measure{Config: reach.Config{Most: 1 << 18}}
	flag.IntVar(&m.Servers, "servers", 8, "match servers")
	flag.IntVar(&m.Stored, "stored", 10_000, "revocations that are stored before the servers start")
	flag.IntVar(&m.Calm, "calm", 100, "players who are banned while nothing is killed")
	flag.IntVar(&m.Killed, "killed", 60, "players who are banned while NATS servers are killed")
	flag.IntVar(&m.Kills, "kills", 3, "NATS servers that are killed, one after the other")
	flag.IntVar(&m.Once, "once", 20, "tokens that are shown to every server")
	flag.IntVar(&m.More, "more", 90_000, "revocations that are stored before one more server starts")
	flag.Parse()
	if err := run(m); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(m reach.Measure) (err error) {
	if m.Dir, err = os.MkdirTemp("", "sallyport-*"); err != nil {
		return err
	}
	defer os.RemoveAll(m.Dir)
	if m.Ports, err = ports(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	r, err := reach.Run(ctx, m, os.Stderr)
	if err != nil {
		return err
	}
	if err := r.Print(os.Stdout); err != nil {
		return err
	}
	return r.Err()
}

// ports returns six that are free now.
func ports() (p [6]int, err error) {
	for i := range p {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return p, err
		}
		defer l.Close()
		p[i] = l.Addr().(*net.TCPAddr).Port
	}
	return p, nil
}
