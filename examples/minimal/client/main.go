// Client is the smallest player: it signs in at examples/minimal/server, walks about for five
// seconds or until Ctrl-C, and prints where everybody is.
//
//	go run ./examples/minimal/server
//	go run ./examples/minimal/client    # in another terminal
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// loginAddress is that of the server's login. A variable, since the test has one of its own.
var loginAddress = "127.0.0.1:7790"

// ticket is the login's answer.
type ticket struct {
	Address, Token string
	Pin            [32]byte // SHA-256 of the only certificate that the client takes
}

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
	t, err := signIn(ctx, name)
	if err != nil {
		return fmt.Errorf("cannot sign in: %w (is the server running? go run ./examples/minimal/server)", err)
	}
	client, err := transport.Dial(ctx, t.Address, transport.ClientConfig{
		Token: func(ctx context.Context) ([]byte, error) { t, err := signIn(ctx, name); return []byte(t.Token), err },
		Pin:   &t.Pin,
	})
	if err != nil {
		return fmt.Errorf("cannot join: %w", err)
	}
	defer client.Close() //nolint:errcheck // the server notices
	fmt.Printf("%s plays on %s\n", name, t.Address)
	if err := play(ctx, client); err != nil {
		return fmt.Errorf("the session has ended: %w", err)
	}
	return nil
}

func signIn(ctx context.Context, name string) (t ticket, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+loginAddress+"/?name="+name, nil)
	if err != nil {
		return t, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return t, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return t, fmt.Errorf("the login says %s", answer.Status)
	}
	err = json.NewDecoder(answer.Body).Decode(&t)
	return t, err
}
