// Sallyport-filter keeps strangers' datagrams from the ports of Sallyport servers on this host: it
// attaches the XDP program of package filter to network interfaces until it ends.
//
//	sallyport-filter -interface eth0 -port 7777
//
// -h lists its flags. The servers say where their players are by filter.Feed.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
