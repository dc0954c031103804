package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Gateway has players in front and a game behind. Its methods are safe for concurrent use.
type Gateway struct {
	config  Config            // constant
	server  *transport.Server // constant
	backend Backend           // constant
	table   *table            // constant
	lanes   []bool            // constant: which are of mode Latest

	limits   atomic.Pointer[Limits]
	players  atomic.Int64
	judged   atomic.Int64 // verdicts that wait for a payload
	draining atomic.Bool
	health   health
	counts   counts

	closing sync.Once
	closed  chan struct{} // closed by Close
}

// New listens and starts the backend. Nobody is answered before Serve is called. Close it when done.
// Errors are those of transport.Listen and Backend.Start, or match ErrConfig.
func New(config Config) (*Gateway, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	g := &Gateway{config: config, backend: config.Backend, table: newTable(), closed: make(chan struct{})}
	limits := config.limits()
	g.limits.Store(&limits)
	for _, l := range config.Transport.Lanes {
		g.lanes = append(g.lanes, l.Mode == transport.Latest)
	}
	t := config.Transport
	t.Session.Authorize = g.authorize(t.Session.Authorize)
	t.Session.Inspect = g.inspect(t.Session.Inspect)
	if g.server, err = transport.Listen(config.Listen, t); err != nil {
		return nil, fmt.Errorf("gateway: cannot listen on %q: %w", config.Listen, err)
	}
	if err = g.backend.Start(g); err != nil {
		g.server.Close() //nolint:errcheck // err says more
		return nil, err
	}
	return g, nil
}

// Server returns the players' end: for an admin API, a feed of revocations, a certificate.
func (g *Gateway) Server() *transport.Server { return g.server }

// Addr returns the address to which players connect.
func (g *Gateway) Addr() netip.AddrPort { return g.server.Addr() }

// Players returns the number of players.
func (g *Gateway) Players() int { return int(g.players.Load()) }

// Find returns the player with a handle, nil if no present player has it. It takes no lock.
func (g *Gateway) Find(handle uint32) *Player { return g.table.find(handle) }

// All calls f for each player, in no particular order, until f returns false. Players who join or
// leave meanwhile may be missed.
func (g *Gateway) All(f func(*Player) bool) { g.table.all(f) }

// Hold collects what is sent to players until Release, so that it goes out in few system calls; see
// transport.Server.Hold.
func (g *Gateway) Hold() { g.server.Hold() }

// Release ends a Hold.
func (g *Gateway) Release() { g.server.Release() }

// Lanes returns the lanes of Config.Transport. They must not be changed.
func (g *Gateway) Lanes() []transport.Lane { return g.config.Transport.Lanes }

// latest reports whether a lane is of mode Latest.
func (g *Gateway) latest(lane int) bool {
	return uint(lane) < uint(len(g.lanes)) && g.lanes[lane]
}

// Serve serves players until ctx is done, then tells them that the server shuts down, or hands them on
// by Config.Transport.Snapshot, and closes the gateway. The error is nil if that went well.
func (g *Gateway) Serve(ctx context.Context) error {
	select {
	case <-g.closed:
		return ErrClosed
	default:
	}
	served := make(chan error, 1)
	go func() { served <- g.server.Serve(g.handler()) }()
	look, stop := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() { g.look(look) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-served: // somebody has closed the server
		served <- err
	}
	stop()
	looking.Wait()
	g.Drain()
	end, cancel := context.WithTimeout(context.Background(), g.config.Shutdown)
	defer cancel()
	if err = g.server.Shutdown(end); errors.Is(err, transport.ErrServerClosed) {
		err = nil // by an admin API, which has told the players
	}
	if e := <-served; !errors.Is(e, transport.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, g.Close())
}

// Drain admits no newcomers from now on, and makes /ready answer 503. Players go on, and may
// resume. To end the gateway, end the context of Serve.
func (g *Gateway) Drain() { g.draining.Store(true) }

// Close ends everything at once, without telling the players, unless Serve has ended. A second call
// does nothing.
func (g *Gateway) Close() (err error) {
	g.closing.Do(func() {
		close(g.closed)
		if err = g.server.Close(); errors.Is(err, transport.ErrServerClosed) {
			err = nil
		}
		g.table.all(func(p *Player) bool { // of whom the server has not said that they have left
			g.leave(p.conn, session.ReasonShutdown)
			return true
		})
		err = errors.Join(err, g.backend.Close())
	})
	return err
}

// handler is the gateway's side of the players' end.
func (g *Gateway) handler() transport.Handler {
	return transport.Handler{
		Join: g.join,
		Receive: func(p *transport.Player, b []byte) {
			if own, ok := p.Value.(*Player); ok {
				g.backend.Data(own, Datagram, 0, b)
			}
		},
		Message: func(p *transport.Player, lane int, _ uint64, b []byte) {
			if own, ok := p.Value.(*Player); ok {
				g.backend.Data(own, lane, 0, b)
			}
		},
		Latest: func(p *transport.Player, lane int, key uint32, b []byte) {
			if own, ok := p.Value.(*Player); ok {
				g.backend.Data(own, lane, key, b)
			}
		},
		Leave: g.leave,
	}
}

// join gives a player a handle and tells the backend.
func (g *Gateway) join(c *transport.Player) {
	p := &Player{gateway: g, conn: c, session: c.Session(), metadata: c.Metadata()}
	n := g.players.Add(1)
	full := c.Origin() == transport.OriginOpened && n > int64(g.limits.Load().MaxPlayers)
	if full || !g.table.add(p) {
		g.players.Add(-1)
		c.Refuse(session.ReasonFull)
		return
	}
	c.Value = p
	g.backend.Join(p)
}

// leave tells the backend and takes the handle back, once: Close says so of whoever is left, and the server
// may at the same time, if somebody else closes that.
func (g *Gateway) leave(c *transport.Player, reason session.Reason) {
	p, ok := c.Value.(*Player)
	if !ok || !g.table.remove(p) {
		return
	}
	if v := p.verdict.Swap(verdictNone); v != 0 {
		g.judged.Add(-1)
	}
	g.players.Add(-1)
	g.backend.Left(p, reason)
}
