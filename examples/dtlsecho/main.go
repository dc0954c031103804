// Dtlsecho sends back what it is sent over DTLS 1.2: the library's sockets, handshake and records without sessions on top,
// for talking to foreign stacks such as OpenSSL and GnuTLS.
//
//	go run ./examples/dtlsecho -listen 127.0.0.1:4433 -cert cert.pem -key key.pem
//	go run ./examples/dtlsecho -connect 127.0.0.1:4433 -ca cert.pem
//
// are its two ends, and -h says the rest. It is no match server: it does not know who its peers are.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses, which scripts rely on.
const (
	exitOK     = 0
	exitFailed = 1 // no connection, or it broke
	exitUsage  = 2 // a flag, a file or an address: nothing was sent
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program, until it is over or ctx is done.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	f, code := parse(args, stdout, stderr)
	if f == nil {
		return code
	}
	config, closeLog, err := f.config()
	if err != nil {
		return complain(stderr, exitUsage, err)
	}
	defer closeLog()
	if f.connect != "" {
		return connect(ctx, f, config, stdin, stdout, stderr)
	}
	return listen(ctx, f, config, stdout, stderr)
}
