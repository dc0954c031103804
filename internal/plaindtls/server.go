package plaindtls

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/udp"
)

// Server is a DTLS server. Its methods are safe for concurrent use.
type Server struct {
	endpoint *dtls.Endpoint // constant
	idle     time.Duration  // constant
	most     int64          // constant: connections at once
	conns    atomic.Int64
	handler  Handler // set once, before the first turn

	mu sync.Mutex // beginning and end
	// +checklocks:mu
	serving bool
	closed  atomic.Bool    // set under mu
	loops   sync.WaitGroup // Serve, which begins under mu
}

// Handler is what a server does with its connections. Each function may be
// nil, and must not block. For one connection they are called one at a time, for
// several at the same time.
type Handler struct {
	// Connect is called when the first record has come: only then has the peer
	// proven to hold the keys.
	Connect func(c *Conn)
	// Receive is called for each record of application data. payload is borrowed:
	// it is valid until Receive returns.
	Receive func(c *Conn, payload []byte)
	// Disconnect is called once for each Connect, when the peer has left, come
	// again from the same address or been silent for too long, or the server is
	// closed.
	Disconnect func(c *Conn)
}

func (h Handler) withDefaults() Handler {
	if h.Connect == nil {
		h.Connect = func(*Conn) {}
	}
	if h.Receive == nil {
		h.Receive = func(*Conn, []byte) {}
	}
	if h.Disconnect == nil {
		h.Disconnect = func(*Conn) {}
	}
	return h
}

// Listen makes a server on a UDP address such as ":4433", or on Config.Conn. It answers nobody
// before Serve is called. Close it when done.
func Listen(address string, config Config) (*Server, error) {
	if err := config.checkServer(); err != nil {
		return nil, err
	}
	var sock udp.Socket
	if config.Conn != nil {
		sock = udp.NewPortable(config.Conn)
	} else {
		var err error
		if sock, err = udp.Listen(address); err != nil {
			return nil, err
		}
	}
	s := &Server{
		idle: cmp.Or(config.Idle, DefaultIdle), most: int64(cmp.Or(config.MaxConns, DefaultMaxConns)),
		handler: Handler{}.withDefaults(),
	}
	below := config.endpoint()
	below.NewUser = func(*dtls.Shard) dtls.User { return s }
	s.endpoint = dtls.New(sock, below)
	return s, nil
}

// Serve handles records as they come, in one goroutine for each processor, until
// Close; then it returns net.ErrClosed. It can be called once.
func (s *Server) Serve(h Handler) error {
	if err := s.begin(h); err != nil {
		return err
	}
	defer s.loops.Done()
	if err := s.endpoint.Share(true); err != nil {
		return err
	}
	var shards sync.WaitGroup
	for _, sh := range s.endpoint.All() {
		shards.Go(func() { s.loop(sh) })
	}
	shards.Wait()
	return net.ErrClosed
}

func (s *Server) begin(h Handler) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed.Load():
		return net.ErrClosed
	case s.serving:
		return ErrServing
	}
	s.serving, s.handler = true, h.withDefaults()
	s.loops.Add(1)
	return nil
}

// loop is a shard's part of Serve.
func (s *Server) loop(sh *dtls.Shard) {
	for !s.closed.Load() {
		now := time.Now()
		sh.Turns.Begin(nil)
		sh.Out.Hold(true)
		_, now = sh.Turn(now)
		sh.Out.Hold(false)
		busy := sh.Handshakes.Busy(now)
		sh.Turns.End()
		sh.Socket.Wait(dtls.SweepInterval/4, busy)
	}
}

// Addr is the address that the server listens on.
func (s *Server) Addr() netip.AddrPort { return s.endpoint.First().Socket.LocalAddr() }

// Drops is how many datagrams have been dropped, by reason.
func (s *Server) Drops() map[string]uint64 {
	drops := make(map[string]uint64)
	for _, sh := range s.endpoint.All() {
		for reason, n := range sh.Stats().Drops {
			drops[reason] += n
		}
	}
	return drops
}

// Close sends close_notify to every peer, calls Disconnect for each, and returns when
// nothing runs any more. It must not be called from a Handler. A second call
// returns net.ErrClosed.
func (s *Server) Close() error {
	s.mu.Lock()
	again := s.closed.Swap(true)
	s.mu.Unlock()
	if again {
		return net.ErrClosed
	}
	s.endpoint.Stop()
	s.loops.Wait()
	s.endpoint.Wait()
	var errs []error
	for _, sh := range s.endpoint.All() {
		sh.Turns.Begin(nil)
		now := time.Now()
		for _, c := range sh.Table.All() {
			(*Conn)(c.User.(*carried)).end(now)
		}
		errs = append(errs, sh.Close())
		sh.Turns.End()
	}
	return errors.Join(errs...)
}

// Accept implements dtls.User.
func (s *Server) Accept(_, now time.Time, _ udp.Flow, r *handshake.Result) *dtls.Conn {
	c := &Conn{identity: identityOf(r), server: s, heard: now}
	c.conn.Init((*carried)(c), 0)
	return &c.conn
}

// Failed implements dtls.User.
func (s *Server) Failed(_, _ time.Time, _ udp.Flow, _ error) {}

// Turned implements dtls.User.
func (s *Server) Turned(time.Time) {}

// Prefetch implements dtls.User.
func (s *Server) Prefetch(*dtls.Conn, int) byte { return 0 }
