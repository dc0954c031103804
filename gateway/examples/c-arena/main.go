// C-arena runs the arena of examples/client as a game in C, with sallyport-sidecar before it:
//
//	go run ./examples/c-arena                                                  in gateway
//	go run ./examples/client -connect 127.0.0.1:7777 -dev-file gateway/sallyport-dev.json
//
// game/arena.c is the whole game; it needs a C compiler and POSIX.
package main

import (
	"context"
	_ "embed" // the game
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/sallyport/sallyport/gateway/internal/play"
)

//go:embed game/arena.c
var source []byte

func main() { play.Main(game) }

func game(ctx context.Context, dir, own, sidecar string) (*exec.Cmd, error) {
	compiler, err := play.Look("cc")
	if err != nil {
		return nil, err
	}
	file, program := filepath.Join(dir, "arena.c"), filepath.Join(dir, "arena")
	if err := os.WriteFile(file, source, 0o600); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, file, "-lm").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("cc: %w: %s", err, out)
	}
	return exec.CommandContext(ctx, program, own, sidecar), nil
}
