package gameserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/metrics"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/statuspage"
	"github.com/sallyport/sallyport/transport"
)

// Config says where a server listens and whom it admits.
type Config struct {
	Listen string // UDP, such as ":7777"
	Tick   int    // ticks a second, 1 to arena.MaxTick
	Status string // HTTP; empty means none

	// Hosts are those of statuspage.Config, for Status.
	Hosts []string

	Certificate tls.Certificate
	Verifier    transport.Verifier
	Audit       audit.Sink // nil means none
	KeyLog      io.Writer  // that of transport.Config; nil means none

	// Authorize says whom to admit, as that of session.Config does; nil means players with a token for their match.
	Authorize func(*session.Admission) error

	// MaxPerSubject is how many sessions a player may have, as that of session.Config.
	MaxPerSubject int

	// Events is how many decisions are kept for the status page; zero means DefaultEvents.
	Events int
	// Issuer is whose players a revocation means that names no issuer.
	Issuer string
	// FleetKeys seal what lets players go on with another process of the fleet; nil means a key that ends with this one.
	// Snapshot is a file by which Shutdown hands the sessions on to the next process; empty means that it ends them.
	// Both are those of transport.Config.
	FleetKeys *fleetkey.Ring
	Snapshot  string
	// Log is transport.Config.Logger: joins, leaves and refusals.
	Log *slog.Logger
	// RevokeAfter revokes each session after that time, for demonstration; zero means never.
	RevokeAfter time.Duration

	Dev *Dev // serves /token, admits many clients from one address, and bearer mode
}

// Server is a match server that runs.
type Server struct {
	config Config            // constant
	game   *transport.Server // constant
	events *audit.Recent     // constant; nil without Config.Status
	status *http.Server      // constant; nil without Config.Status
	url    string            // constant: of the status address

	hang   atomic.Int64 // ns that the next tick is to take
	cancel context.CancelFunc
	wg     sync.WaitGroup // arena and status; Shutdown waits
	done   chan struct{}  // closed when the arena has ended
	err    error          // why; set before done is closed
}

// Start listens and starts the match. Errors name the address that could not be had.
func Start(config Config) (*Server, error) {
	status, err := listenStatus(config)
	if err != nil {
		return nil, err
	}
	s := &Server{config: config, done: make(chan struct{})}
	if status != nil {
		s.events, s.config = record(config)
	}
	if s.game, err = listen(s.config); err != nil {
		if status != nil {
			status.Close() //nolint:errcheck // err says more
		}
		return nil, err
	}
	s.run(status)
	return s, nil
}

// run starts the match and, unless status is nil, the status page.
func (s *Server) run(status net.Listener) {
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	a := arena.New(s.config.Tick, 1+rand.Uint32N(math.MaxUint32))
	w := newWatch(s.config, a)
	handler, meters := w.handler(a.Handler()), metrics.NewCollector(s.game.Stats)
	s.wg.Go(func() {
		defer close(s.done)
		s.err = a.Run(ctx, s.game, handler, func(began time.Time) {
			s.stall(ctx)
			now := time.Now()
			w.look(now)
			meters.ObserveTick(now.Sub(began))
		})
	})
	if status == nil {
		return
	}
	s.url = "http://" + status.Addr().String()
	s.status = statuspage.NewServer(s.handler(w, meters, isLoopback(status)))
	s.wg.Go(func() { s.status.Serve(status) }) //nolint:errcheck // ends with Close
}

// Hang makes the next tick take so much longer: nothing is read or sent meanwhile, as when a level is loaded, a disk is
// slow or the machine is moved. It returns at once.
func (s *Server) Hang(d time.Duration) { s.hang.Store(int64(d)) }

func (s *Server) stall(ctx context.Context) {
	d := time.Duration(s.hang.Swap(0))
	if d == 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// Addr is where players connect.
func (s *Server) Addr() netip.AddrPort { return s.game.Addr() }

// URL is the status address as a URL without path; empty if there is none.
func (s *Server) URL() string { return s.url }

// SetCertificate replaces the certificate for handshakes to come.
func (s *Server) SetCertificate(c tls.Certificate) error { return s.game.SetCertificate(c) }

// Done is closed when the match has ended by itself.
func (s *Server) Done() <-chan struct{} { return s.done }

// Shutdown ends the match, tells every player or hands them on, and returns when nothing runs any more.
func (s *Server) Shutdown(ctx context.Context) error {
	s.cancel()
	<-s.done
	err := errors.Join(s.err, s.game.Shutdown(ctx))
	if s.status != nil {
		err = errors.Join(err, s.status.Close())
	}
	s.wg.Wait()
	return err
}
