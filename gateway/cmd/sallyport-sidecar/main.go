// Sallyport-sidecar puts DTLS and sessions in front of a game server of any language, which gets plain
// datagrams on the loopback interface with the verified player beside each.
//
//	sallyport-sidecar -h
//
// lists its flags, docs/sidecar.md has what it and the game say to each other.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/sallyport/sallyport/gateway/internal/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	os.Exit(program.Run(ctx, hup, os.Args[1:], os.Stdout, os.Stderr))
}
