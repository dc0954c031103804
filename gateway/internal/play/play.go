// Package play runs an example: the program sallyport-sidecar for development, and a game beside it.
package play

import (
	"context"
	_ "embed" // the lanes
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/gateway/internal/program"
	"github.com/sallyport/sallyport/gateway/sidecar"
)

// Lanes is the file -lanes of the arena.
//
//go:embed lanes.json
var Lanes []byte

// ErrMissing is matched by the error of a Game whose program is not installed on this machine.
var ErrMissing = errors.New("not installed")

// again is how long an example waits until it starts a game that has ended.
const again = 500 * time.Millisecond

// Game makes the command of a game that listens at own and hears the sidecar alone. dir is a folder for what
// it needs, which is removed in the end.
type Game func(ctx context.Context, dir, own, sidecar string) (*exec.Cmd, error)

// Main is the main function of an example.
func Main(game Game) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(Run(ctx, game, os.Args[1:], sidecar.DefaultGame, sidecar.DefaultOwn, os.Stdout, os.Stderr))
}

// Run runs sidecar and game until ctx is done. args are more flags of the sidecar's; a game that ends
// is started again, as a cluster would. The exit status is the sidecar's.
func Run(ctx context.Context, game Game, args []string, own, side string, stdout, stderr io.Writer) int {
	dir, err := os.MkdirTemp("", "sallyport-")
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system does
	lanes := filepath.Join(dir, "lanes.json")
	if err := os.WriteFile(lanes, Lanes, 0o600); err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	playing, stop := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for playing.Err() == nil {
			if err := once(playing, game, dir, own, side, stderr); err != nil && playing.Err() == nil {
				fmt.Fprintf(stderr, "the game has ended: %v\n", err)
			}
			select {
			case <-playing.Done():
			case <-time.After(again):
			}
		}
	}()
	defer func() { stop(); <-over }()
	flags := []string{"-dev", "-listen", "127.0.0.1:7777", "-lanes", lanes, "-game", own, "-own", side}
	return program.Run(ctx, nil, append(flags, args...), stdout, stderr)
}

// once runs the game once.
func once(ctx context.Context, game Game, dir, own, side string, stderr io.Writer) error {
	cmd, err := game(ctx, dir, own, side)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = stderr, stderr
	cmd.WaitDelay = time.Second
	return cmd.Run()
}

// Look returns the path of a program.
func Look(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w: %w", name, ErrMissing, err)
	}
	return path, nil
}
