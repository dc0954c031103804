// Client is the smallest player: it signs in at examples/minimal/server, walks about for five
// seconds or until Ctrl-C, and prints where everybody is.
//
//	go run ./examples/minimal/server
//	go run ./examples/minimal/client    # in another terminal
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/transport"
)

// loginAddress is that of the server's login. A variable, since the test has one of its own.
var loginAddress = dev.DefaultAddress

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, fmt.Sprintf("player-%d", os.Getpid())); err != nil {
		log.Fatal("client: ", err)
	}
}

func run(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	address, config, err := dev.SignIn(ctx, loginAddress, name)
	if err != nil {
		return fmt.Errorf("%w (go run ./examples/minimal/server)", err)
	}
	client, err := transport.Dial(ctx, address, config)
	if err != nil {
		return fmt.Errorf("cannot join: %w", err)
	}
	defer client.Close() //nolint:errcheck // the server notices
	fmt.Printf("%s plays on %s\n", name, address)
	if err := play(ctx, client); err != nil {
		return fmt.Errorf("the session has ended: %w", err)
	}
	return nil
}
