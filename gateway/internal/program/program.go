package program

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/agones"
	"github.com/sallyport/sallyport/gateway/internal/carrier"
	"github.com/sallyport/sallyport/gateway/internal/meter"
	"github.com/sallyport/sallyport/gateway/sidecar"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/statuspage"
)

// Exit statuses, which scripts rely on.
const (
	exitOK    = 0
	exitError = 1 // it could not end as it should
	exitUsage = 2 // a flag, a file or an address: it never ran
)

// program is one that runs.
type program struct {
	flags     *flags
	log       *slog.Logger
	audit     *auditFile
	sink      audit.Sink // of all that is kept
	ring      *fleetkey.Ring
	keys      *issuerKeys // nil without -keys
	behaviour behaviourFile
	dev       *devIssuer
	drain     admin.Drain
	source    atomic.Pointer[identity.Source] // of the admin API; nil without one, or before it has a certificate
	meter     *meter.Meter
	gateway   *gateway.Gateway
	game      *sidecar.Sidecar
	rule      *agones.Rule  // nil without -agones
	agent     *agones.Agent // likewise
	websocket *carrier.Port // nil without -websocket
	closers   []func()
}

// Run is the program: it serves until ctx is done, and reads its files again on hup. The exit status is
// its own.
func Run(ctx context.Context, hup <-chan os.Signal, args []string, stdout, stderr io.Writer) int {
	f, code := parse(args, stdout, stderr)
	if f == nil {
		return code
	}
	p := &program{flags: f, log: slog.New(slog.NewTextHandler(stderr, nil))}
	defer p.end()
	err := p.start(ctx)
	if err == nil {
		err = p.serve(ctx, hup)
	} else {
		fmt.Fprintf(stderr, "sallyport-sidecar: %v\n", err)
		return exitUsage
	}
	if err != nil {
		p.log.Error("stopped", "error", err)
		return exitError
	}
	p.log.Info("stopped")
	return exitOK
}

func (p *program) end() {
	for _, f := range p.closers {
		f()
	}
	p.audit.end()
}

// start makes the gateway.
func (p *program) start(ctx context.Context) (err error) {
	f := p.flags
	if p.audit, err = openAudit(f.audit); err != nil {
		return err
	}
	recent := audit.NewRecent(1)
	if p.audit != nil {
		recent = p.audit.JSON.Recent(1)
	}
	p.sink = p.audit.sink()
	config := gateway.Config{Listen: f.listen, Log: p.log, Remote: !loopback(f.status), Hosts: f.statusHosts}
	if err = p.identity(ctx, &config.Transport); err != nil {
		return err
	}
	if config.Transport.Lanes, err = readLanes(f.lanes); err != nil {
		return err
	}
	if p.websocket, err = f.websocket.Open(&config); err != nil {
		return err
	}
	p.closers = append(p.closers, p.websocket.Close)
	endFeed, err := f.filter.Open(&config)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, endFeed)
	limits, err := readLimits(f.limits)
	if err != nil {
		return err
	}
	p.behaviour = limits.behaviourFile
	config.MaxPlayers, config.Hold = limits.MaxPlayers, time.Duration(limits.Hold)
	t := &config.Transport
	t.Session.Behaviour = p.behaviour.config()
	t.Session.Authorize = p.drain.Authorize(p.admits())
	t.Audit, t.Logger = p.sink, p.log
	t.Shards = gateway.ShareProcessors()
	config.Draining = p.draining
	if p.meter, err = meter.Open(&config, map[string]func() (notBefore, notAfter time.Time){"spiffe": p.spiffe}); err != nil {
		return err
	}
	bits, err := f.bits()
	if err != nil {
		return err
	}
	game, err := sidecar.New(sidecar.Config{
		Game: f.game, Own: f.own, Mode: bits, Silence: f.silence, Claims: f.claims, Audit: p.sink, Log: p.log,
	})
	if err != nil {
		return err
	}
	p.game, config.Backend = game, game
	config.Metrics = append(config.Metrics, game)
	if p.gateway, err = gateway.New(config); err != nil {
		game.Close() //nolint:errcheck // err says more
		return err
	}
	if err = p.newAgent(); err != nil {
		p.gateway.Close() //nolint:errcheck // err says more
		return err
	}
	if err = p.open(ctx, recent); err != nil {
		p.gateway.Close() //nolint:errcheck // err says more
		return err
	}
	p.websocket.Serve(p.log)
	p.log.Info("listening", "addr", p.gateway.Addr(), "websocket", p.websocket.Addr(), "status", f.status, "admin", f.admin, "game", f.game)
	return nil
}

// draining reports whether an admin has begun to drain the server.
func (p *program) draining() bool {
	refusal := p.drain.Authorize(func(*session.Admission) error { return nil })(&session.Admission{Why: session.Opening})
	return refusal != nil
}

// open opens the operators' ends.
func (p *program) open(ctx context.Context, recent *audit.Recent) error {
	f := p.flags
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	p.closers = append(p.closers, func() { cancel(); running.Wait() })
	running.Go(func() { p.meter.Run(ctx, p.gateway.Server()) }) //nolint:errcheck // ends with ctx
	handler := p.gateway.Handler()
	if f.admin != "" {
		l, err := net.Listen("tcp", f.admin)
		if err != nil {
			return fmt.Errorf("cannot serve -admin: %w", err)
		}
		running.Go(func() { p.serveAdmin(ctx, l, recent) })
	}
	if f.status == "" {
		return nil
	}
	l, err := net.Listen("tcp", f.status)
	if err != nil {
		return fmt.Errorf("cannot serve -status: %w", err)
	}
	if p.dev != nil {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /token", p.dev.token)
		mux.HandleFunc("POST /token", p.dev.token)
		mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { p.dev.login(w, r, p.gateway.Addr()) })
		mux.Handle("/", handler)
		handler = mux
		p.log.Warn("DEVELOPMENT: whoever asks on this machine gets a token, under any name")
		if err := p.dev.write(f.devFile, p.gateway.Addr().String(), l.Addr().String()); err != nil {
			l.Close() //nolint:errcheck // err says more
			return fmt.Errorf("cannot write -dev-file: %w", err)
		}
	}
	server := statuspage.NewServer(handler)
	running.Go(func() { server.Serve(l) })                                //nolint:errcheck // ends with Close
	p.closers = append([]func(){func() { server.Close() }}, p.closers...) //nolint:errcheck // it only serves status
	return nil
}

// serve serves until ctx is done.
func (p *program) serve(ctx context.Context, hup <-chan os.Signal) error {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx)) // health goes on until the players have gone
	var watch sync.WaitGroup
	watch.Go(func() { p.watch(watching, hup) })
	if p.agent != nil {
		watch.Go(func() { p.agent.Run(watching) })
	}
	serving, end := p.leaving(ctx)
	err := p.gateway.Serve(serving)
	end()
	stop()
	watch.Wait()
	return err
}
