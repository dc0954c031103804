package gameserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/examples/internal/arena"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Config says where a server listens and whom it admits.
type Config struct {
	Listen string // UDP, such as ":7777"
	Tick   int    // ticks a second, 1 to arena.MaxTick
	Status string // HTTP; empty means none

	Certificate tls.Certificate
	Verifier    transport.Verifier
	Audit       audit.Sink // nil means none

	Dev *Dev // serves /token, admits many clients from one address, and bearer mode
}

// Server is a match server that runs.
type Server struct {
	config Config            // constant
	game   *transport.Server // constant
	status *http.Server      // constant; nil without Config.Status
	url    string            // constant: of the status address

	cancel context.CancelFunc
	wg     sync.WaitGroup // arena and status; Shutdown waits
	done   chan struct{}  // closed when the arena has ended
	err    error          // why; set before done is closed
}

// loopbackHandshakes bounds handshakes in development, where all players share the source prefix 127.0.0.0/24 and so
// one budget that is meant for a household: a load test would spend it within a second.
const loopbackHandshakes = 4096

// Start listens and starts the match. Errors name the address that could not be had.
func Start(config Config) (*Server, error) {
	status, err := listenStatus(config)
	if err != nil {
		return nil, err
	}
	game, err := listen(config)
	if err != nil {
		if status != nil {
			status.Close() //nolint:errcheck // err says more
		}
		return nil, err
	}
	s := &Server{config: config, game: game, done: make(chan struct{})}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Go(func() {
		defer close(s.done)
		s.err = arena.Run(ctx, game, config.Tick)
	})
	if status != nil {
		s.url = "http://" + status.Addr().String()
		s.status = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 1 << 16}
		s.wg.Go(func() { s.status.Serve(status) }) //nolint:errcheck // ends with Close
	}
	return s, nil
}

// listen makes the players' end.
func listen(config Config) (*transport.Server, error) {
	c := transport.Config{Certificate: config.Certificate, Verifier: config.Verifier, Audit: config.Audit}
	if config.Dev != nil {
		c.Session = session.Config{AllowBearer: true}
		c.Sources = policy.SourceConfig{PerSecond: loopbackHandshakes, Burst: loopbackHandshakes}
		c.MaxUnproven = loopbackHandshakes
	}
	game, err := transport.Listen(config.Listen, c)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", config.Listen, err)
	}
	return game, nil
}

// listenStatus makes the operators' end, nil if there is to be none.
func listenStatus(config Config) (net.Listener, error) {
	if config.Status == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", config.Status)
	if err != nil {
		return nil, fmt.Errorf("cannot serve status on %q: %w", config.Status, err)
	}
	ap, err := netip.ParseAddrPort(l.Addr().String())
	if config.Dev != nil && (err != nil || !ap.Addr().IsLoopback()) {
		l.Close() //nolint:errcheck // the sentence below says more
		return nil, errors.New("a development server gives tokens to whoever asks: its status address must be a loopback one, such as 127.0.0.1:7780")
	}
	return l, nil
}

// Addr is where players connect.
func (s *Server) Addr() netip.AddrPort { return s.game.Addr() }

// URL is the status address as a URL without path; empty if there is none.
func (s *Server) URL() string { return s.url }

// SetCertificate replaces the certificate for handshakes to come.
func (s *Server) SetCertificate(c tls.Certificate) error { return s.game.SetCertificate(c) }

// Done is closed when the match has ended by itself.
func (s *Server) Done() <-chan struct{} { return s.done }

// Shutdown ends the match, tells every player, and returns when nothing runs any more.
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
