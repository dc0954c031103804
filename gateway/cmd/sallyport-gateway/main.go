// Command sallyport-gateway gives the players of a Nakama server UDP: any Nakama 3, and matches of any
// runtime.
//
//	export SALLYPORT_NAKAMA_SERVER_KEY=…
//	sallyport-gateway -nakama http://127.0.0.1:7350 -cert cert.pem -key key.pem \
//		-cognito-pool eu-central-1_AbCdEf123 -cognito-clients 4h1…
//
// docs/nakama-gateway.md has the rest. SIGTERM and SIGINT end it, after the players were told. The
// certificate and the fleet keys are read again when they have changed, and at once on SIGHUP.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/internal/meter"
	"github.com/sallyport/sallyport/internal/lab/command"
	"github.com/sallyport/sallyport/statuspage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	os.Exit(run(ctx, hup, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

const help = `Usage: sallyport-gateway -nakama URL [flags]

Gives the players of a Nakama server UDP. Secrets come by the environment:

  SALLYPORT_NAKAMA_SERVER_KEY   Nakama's socket.server_key: the gateway signs in for its players
  SALLYPORT_NAKAMA_SESSION_KEY  Nakama's session.encryption_key: players come with Nakama sessions
  SALLYPORT_NAKAMA_SECRET       makes custom ids that nobody else can name; with the server key

`

// run is the program, which reads its files again on hup. It returns its exit status.
func run(ctx context.Context, hup <-chan os.Signal, args []string, env func(string) string, stdout, stderr io.Writer) int {
	f := newFlags(env)
	if status, ok := command.Parse(f.set, help, args, f.check, stdout, stderr); !ok {
		return status
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if err := f.serve(ctx, hup, stdout, log); err != nil {
		fmt.Fprintln(stderr, "sallyport-gateway:", err)
		return 1
	}
	return 0
}

// serve serves players until ctx is done.
func (f *flags) serve(ctx context.Context, hup <-chan os.Signal, stdout io.Writer, log *slog.Logger) error {
	config, closeAudit, err := f.config(log)
	if err != nil {
		return err
	}
	defer closeAudit()
	port, err := f.websocket.Open(&config)
	if err != nil {
		return err
	}
	defer port.Close()
	endFeed, err := f.filter.Open(&config)
	if err != nil {
		return err
	}
	defer endFeed()
	m, err := meter.Open(&config, nil)
	if err != nil {
		return err
	}
	g, err := gateway.New(config)
	if err != nil {
		return err
	}
	defer g.Close() //nolint:errcheck // Serve has done it, or the error is another
	status, err := f.status(g, log)
	if err != nil {
		return err
	}
	defer status.Close() //nolint:errcheck // it ends with the process
	port.Serve(log)
	pin := sha256.Sum256(config.Transport.Certificate.Certificate[0])
	fmt.Fprintf(stdout, "players at %s, certificate %s\n", g.Addr(), hex.EncodeToString(pin[:]))
	if port != nil {
		fmt.Fprintf(stdout, "and by WebSocket at %s\n", port.Addr())
	}
	beside, stop := context.WithCancel(ctx)
	defer stop()
	go m.Run(beside, g.Server()) //nolint:errcheck // it ends with the context
	r := &reloader{flags: f, gateway: g, port: port, meter: m, ring: config.Transport.Session.FleetKeys, log: log}
	go r.run(beside, hup)
	return g.Serve(ctx)
}

// status serves /live, /ready and /metrics.
func (f *flags) status(g *gateway.Gateway, log *slog.Logger) (*http.Server, error) {
	server := statuspage.NewServer(g.Handler())
	if f.statusAddress == "" {
		return server, nil
	}
	l, err := net.Listen("tcp", f.statusAddress)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on -status: %w", err)
	}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the status server stopped", "error", err)
		}
	}()
	return server, nil
}
