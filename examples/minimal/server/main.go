// Server is the smallest match server: players walk in a square, and 60 times a second each is told
// where all are. It runs until Ctrl-C.
//
//	go run ./examples/minimal/server
//	go run ./examples/minimal/client    # in another terminal
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/transport"
)

// loginAddress is where the client signs in. A variable, since the test has one of its own.
var loginAddress = dev.DefaultAddress

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal("server: ", err)
	}
}

func run(ctx context.Context) error {
	login, err := dev.NewLogin(dev.Config{Address: loginAddress})
	if err != nil {
		return err
	}
	defer login.Close()
	config := login.Config()
	config.Shards = 1 // Poll reads one socket
	server, err := transport.Listen("127.0.0.1:0", config)
	if err != nil {
		return err
	}
	go login.Serve(server.Addr()) //nolint:errcheck // ends with Close
	log.Printf("login %v, players %v", login.Addr(), server.Addr())
	return play(ctx, server)
}
