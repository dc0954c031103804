// Server is a match server: players move about in an arena, the server decides where they are.
//
//	go run ./examples/server -dev
//
// starts one for development, and -h lists the rest. This folder is the command: identity.go makes the
// certificate and the rules for identity tokens, provider.go fetches an issuer's keys, and fleet.go
// and reload.go replace keys and processes while players play. internal/lab/gameserver puts it all
// into a transport.Config, and internal/lab/arena is the game. examples/minimal/server is a server to
// begin with.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/transport"
)

// Exit statuses, which scripts rely on.
const (
	exitOK    = 0
	exitError = 1 // the match ended by itself, or nobody could be handed on
	exitUsage = 2 // a flag or a file: the server never ran
)

// shutdownTime is how long players are told that it is over.
const shutdownTime = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	os.Exit(run(ctx, hup, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program: it serves until ctx is done and reads its files again on hup.
func run(ctx context.Context, hup <-chan os.Signal, args []string, stdout, stderr io.Writer) int {
	f, code := parse(args, stdout, stderr)
	if f == nil {
		return code
	}
	if f.fleet.newKey {
		return newFleetKey(stdout, stderr)
	}
	if f.newCert != "" {
		return newCertificate(f, stdout, stderr)
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	server, lines, end, err := start(ctx, f, log)
	if err != nil {
		fmt.Fprintf(stderr, "server: %v\n", err)
		return exitUsage
	}
	where := []any{"addr", server.Addr(), "tick", f.tick}
	if url := server.URL(); url != "" {
		where = append(where, "status", url, "metrics", url+"/metrics")
	}
	if f.devPublic {
		log.Warn("DEVELOPMENT SERVER for other machines: it gives a token to whoever asks, under any name")
	}
	log.Info("listening", where...)
	serve(ctx, hup, f, server, lines, log)

	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	sessions := server.Stats().Sessions
	err = server.Shutdown(ctx)
	end()
	switch {
	case err != nil:
		log.Error("stopped", "error", err)
		return exitError
	case f.fleet.snapshot != "":
		log.Info("stopped", "handed_on", sessions)
	default:
		log.Info("stopped")
	}
	return exitOK
}

// serve returns when ctx is done or the match has ended.
func serve(ctx context.Context, hup <-chan os.Signal, f *flags, server *gameserver.Server, lines *auditFile, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-server.Done():
			return
		case <-hup:
			lines.reopen(log)
			reload(f, server, log)
		}
	}
}

// start starts the server that f describes. lines is its audit, nil without one. end is to be called after its Shutdown.
func start(ctx context.Context, f *flags, log *slog.Logger) (server *gameserver.Server, lines *auditFile, end func(), err error) {
	ring, err := f.fleet.ring()
	if err != nil {
		return nil, nil, nil, err
	}
	config, keys, err := identity(f)
	if err != nil {
		return nil, nil, nil, err
	}
	lines, err = openAudit(f.audit, f.auditKey)
	keyLog, closeKeyLog, logErr := openKeyLog(f.keylog, log)
	err = errors.Join(err, logErr)
	end = func() {
		lines.end()
		closeKeyLog()
		if keys != nil {
			keys.Close() //nolint:errcheck // always nil
		}
	}
	if err == nil {
		hydrate(ctx, keys, log)
		config.Listen, config.Tick, config.Status = f.listen, f.tick, f.status
		config.Hosts = f.statusHosts
		config.Audit, config.Events, config.RevokeAfter = lines.sink(), f.eventsMax, f.revokeAfter
		config.FleetKeys, config.Snapshot, config.KeyLog, config.Log = ring, f.fleet.snapshot, keyLog, log
		server, err = startServer(f, config)
	}
	if err != nil {
		end()
		return nil, nil, nil, err
	}
	return server, lines, end, nil
}

// startServer starts the server and tells clients on this machine how to join.
func startServer(f *flags, config gameserver.Config) (*gameserver.Server, error) {
	server, err := gameserver.Start(config)
	if err != nil {
		if !errors.Is(err, transport.ErrConfig) { // it is about an address
			err = fmt.Errorf("%w: choose other addresses by -listen and -status", err)
		}
		return nil, err
	}
	if err = writeDevFile(f, config.Dev, server); err != nil {
		server.Shutdown(context.Background()) //nolint:errcheck // err says more
		return nil, err
	}
	return server, nil
}

// writeDevFile tells clients on this machine how to join.
func writeDevFile(f *flags, dev *gameserver.Dev, server *gameserver.Server) error {
	if dev == nil {
		return nil
	}
	if err := server.DevFile().Write(f.devFile); err != nil {
		return fmt.Errorf("cannot write -dev-file: %w", err)
	}
	return nil
}
