// Node-arena runs the arena of examples/client as a game for Node.js, with sallyport-sidecar before it:
//
//	go run ./examples/node-arena                                               in gateway
//	go run ./examples/client -connect 127.0.0.1:7777 -dev-file gateway/sallyport-dev.json
//
// arena.mjs is the whole game; it needs nothing but Node.js.
package main

import (
	"context"
	_ "embed" // the game
	"os"
	"os/exec"
	"path/filepath"

	"github.com/sallyport/sallyport/gateway/internal/play"
)

//go:embed arena.mjs
var source []byte

func main() { play.Main(game) }

func game(ctx context.Context, dir, own, sidecar string) (*exec.Cmd, error) {
	node, err := play.Look("node")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "arena.mjs")
	if err := os.WriteFile(file, source, 0o600); err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, node, file, own, sidecar), nil
}
