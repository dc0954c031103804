// Agones shows a rollout on one machine: two pods with an SDK server each, players on the first, and a
// drain to the second, where they go on without signing in again.
//
//	go run ./examples/agones                               # in gateway/, with the recorded SDK server
//	go run ./examples/agones -sdk-server ./sdk-server      # with Agones' own, in local mode
//
// Agones' own is the binary sdk-server of a release of Agones; it is given the GameServer as a file, which
// this program writes anew where an allocator or an operator would change the GameServer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/sallyport/sallyport/gateway/agones"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var config config
	flag.StringVar(&config.sdkServer, "sdk-server", "", "`binary` of Agones' SDK server; empty means one that behaves as it was recorded")
	flag.IntVar(&config.players, "players", 5, "how many players, 1 to 100")
	flag.DurationVar(&config.within, "within", 8*time.Second, "how long the drain may take")
	flag.Parse()
	if config.players < 1 || config.players > 100 || config.within < time.Second || config.within > time.Minute || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "agones: -players is 1 to 100, -within 1s to 1m, and there is nothing else: see -h")
		os.Exit(2)
	}
	if err := run(ctx, config, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "agones:", err)
		os.Exit(1)
	}
}

// config is the command line.
type config struct {
	sdkServer string
	players   int
	within    time.Duration
}

// run plays the rollout, and tells of it.
func run(ctx context.Context, config config, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	fleet, err := newFleet()
	if err != nil {
		return err
	}
	var pods [2]*pod
	for i := range pods {
		if pods[i], err = fleet.start(ctx, fmt.Sprint("game-", i+1), config); err != nil {
			return err
		}
		defer pods[i].end()
	}
	for _, p := range pods {
		if err := await(ctx, func() bool { return p.agent.GameServer() != nil && p.agent.GameServer().State == agones.Ready }); err != nil {
			return fmt.Errorf("%s does not become ready: %w", p.name, err)
		}
		fmt.Fprintf(out, "%s is ready at %v\n", p.name, p.server.Addr())
	}
	var names []string
	for i := range config.players {
		names = append(names, fmt.Sprint("player-", i+1))
	}
	assigned := map[string]string{
		agones.KeyScope: "match-7", agones.KeyPlayers: strings.Join(names, ","), agones.KeyKeyID: fmt.Sprint(fleet.ring.IDs()[0]),
	}
	if err := pods[0].allocate(ctx, assigned); err != nil {
		return err
	}
	if _, err := fleet.join(ctx, pods[0], "somebody-else"); err == nil {
		return errors.New("a player whom nobody has listed has joined")
	}
	var players []*player
	for _, name := range names {
		p, err := fleet.join(ctx, pods[0], name)
		if err != nil {
			return fmt.Errorf("%s cannot join: %w", name, err)
		}
		defer p.Close() //nolint:errcheck // the server notices
		players = append(players, p)
	}
	fmt.Fprintf(out, "%s is allocated, and %d players play on it; one who is not listed was refused\n", pods[0].name, len(players))
	if err := pods[1].allocate(ctx, assigned); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s drains to %s\n", pods[0].name, pods[1].name)
	if err := pods[0].annotate(agones.KeyDrain, pods[1].server.Addr().String()); err != nil {
		return err
	}
	if err := await(ctx, func() bool { return pods[0].agent.GameServer().Ends() }); err != nil {
		return fmt.Errorf("%s does not end: %w", pods[0].name, err)
	}
	longest, resumed := time.Duration(0), 0
	for _, p := range players {
		if longest = max(longest, time.Duration(p.longest.Load())); p.resumed.Load() == 1 && p.closed.Load() == 0 {
			resumed++
		}
	}
	fmt.Fprintf(out, "%d of %d players have resumed on %s, %d have signed in there; the longest pause is %v\n",
		resumed, len(players), pods[1].name, pods[1].signedIn(), longest.Round(time.Millisecond))
	fmt.Fprintf(out, "%s has told Agones that it may end\n", pods[0].name)
	if resumed != len(players) || pods[1].signedIn() != 0 {
		return errors.New("not everybody has gone on")
	}
	return nil
}

// await waits until f says so.
func await(ctx context.Context, f func() bool) error {
	for !f() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
