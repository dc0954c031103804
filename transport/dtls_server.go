package transport

import (
	"cmp"
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// DTLSServer is plain DTLS 1.2 on the sockets, shards, handshake and records of
// a Server, without what lies on top: it talks to any DTLS stack.
//
// It is not for games. It does not know who its peers are: there is no identity,
// no token, no expiry, no revocation, no rate, and nothing but the record layer
// against replays. It is for testing with foreign stacks, and for tools.
//
// Its methods are safe for concurrent use.
type DTLSServer struct {
	server *Server                     // constant
	idle   time.Duration               // constant
	most   int64                       // constant: connections at once
	serve  atomic.Pointer[DTLSHandler] // set once, before the first turn
	conns  atomic.Int64
}

// DTLSHandler is what a server does with its connections. Each function may be
// nil, and must not block. For one connection they are called one at a time, for
// several at the same time.
type DTLSHandler struct {
	// Connect is called when the first record has come: only then has the peer
	// proven to hold the keys.
	Connect func(c *DTLSConn)
	// Receive is called for each record of application data. payload is borrowed:
	// it is valid until Receive returns.
	Receive func(c *DTLSConn, payload []byte)
	// Disconnect is called once for each Connect, when the peer has left, come
	// again from the same address or been silent for too long, or the server is
	// closed.
	Disconnect func(c *DTLSConn)
}

func (h DTLSHandler) withDefaults() DTLSHandler {
	if h.Connect == nil {
		h.Connect = func(*DTLSConn) {}
	}
	if h.Receive == nil {
		h.Receive = func(*DTLSConn, []byte) {}
	}
	if h.Disconnect == nil {
		h.Disconnect = func(*DTLSConn) {}
	}
	return h
}

// ListenDTLS makes a server on a UDP address such as ":4433", or on
// DTLSConfig.Conn. It answers nobody before Serve is called. Close it when done.
func ListenDTLS(address string, config DTLSConfig) (*DTLSServer, error) {
	if err := config.checkServer(); err != nil {
		return nil, err
	}
	s, err := Listen(address, Config{
		Certificate: config.Certificate, ClientAuth: config.ClientAuth, Conn: config.Conn,
		MaxUnproven: config.MaxUnproven, Sources: config.Sources,
		Verifier: nobody{}, Verifications: 1,
	})
	if err != nil {
		return nil, err
	}
	d := &DTLSServer{server: s, idle: config.Idle, most: int64(cmp.Or(config.MaxConns, DefaultMaxDTLSConns))}
	if d.idle == 0 {
		d.idle = DefaultDTLSIdle
	}
	s.handshake.MTU, s.handshake.KeyLog = config.MTU, config.KeyLog
	s.machine, s.proof = d.machine, d.idle // nothing has run yet
	return d, nil
}

// nobody is the Verifier of a server that is never shown a token.
type nobody struct{}

func (nobody) Verify(context.Context, time.Time, []byte) (*token.Claims, error) {
	return nil, session.ErrBusy
}

// machine makes what runs on a new association.
func (d *DTLSServer) machine(now time.Time, a *association, r *handshake.Result) serverMachine {
	return (*bare)(&DTLSConn{identity: identityOf(r), server: d, association: a, heard: now})
}

// Serve handles records as they come, in one goroutine for each processor, until
// Close; then it returns ErrServerClosed. It can be called once.
func (d *DTLSServer) Serve(h DTLSHandler) error {
	h = h.withDefaults()
	if !d.serve.CompareAndSwap(nil, &h) && !d.server.closed.Load() {
		return ErrServing
	}
	return d.server.Serve(Handler{})
}

// Addr is the address that the server listens on.
func (d *DTLSServer) Addr() netip.AddrPort { return d.server.Addr() }

// Close says goodbye to every peer, calls Disconnect for each, and returns when
// nothing runs any more. It must not be called from a DTLSHandler. A second call
// returns net.ErrClosed.
func (d *DTLSServer) Close() error { return d.server.Shutdown(context.Background()) }
