// Python-arena runs the arena of examples/client as a game in Python, with sallyport-sidecar before it:
//
//	go run ./examples/python-arena                                             in gateway
//	go run ./examples/client -connect 127.0.0.1:7777 -dev-file gateway/sallyport-dev.json
//
// arena.py is the whole game; it needs nothing but Python.
package main

import (
	"context"
	_ "embed" // the game
	"os"
	"os/exec"
	"path/filepath"

	"github.com/sallyport/sallyport/gateway/internal/play"
)

//go:embed arena.py
var source []byte

func main() { play.Main(game) }

func game(ctx context.Context, dir, own, sidecar string) (*exec.Cmd, error) {
	python, err := play.Look("python3")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "arena.py")
	if err := os.WriteFile(file, source, 0o600); err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, python, "-u", file, own, sidecar), nil
}
