package natscarrier

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// Carrier is one connection to a NATS cluster. Its methods are safe for concurrent use.
type Carrier struct {
	config Config              // set by Open, constant afterwards
	names  names               // likewise
	conn   *nats.Conn          // likewise; it reconnects by itself
	js     jetstream.JetStream // likewise

	link                       *link // likewise
	reconnects, received, sent atomic.Uint64
	full                       atomic.Bool // the stream was, when something was last stored

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // the goroutine that makes the stream; Close waits
}

var _ revocation.Carrier = (*Carrier)(nil)

// Open returns a carrier that connects in the background, and again whenever the connection is lost.
// Servers that are not there yet are no error. Close it when done. The error matches ErrConfig.
func Open(config Config) (*Carrier, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	c := &Carrier{config: config, names: names{config.Prefix}, link: newLink()}
	if c.conn, err = nats.Connect(strings.Join(config.Servers, ","), c.options()...); err != nil {
		return nil, &configError{"Servers, TLS or Options", err}
	}
	if c.js, err = jetstream.New(c.conn); err != nil {
		c.conn.Close()
		return nil, &configError{"Options", err}
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if config.Replicas > 0 {
		c.wg.Go(c.make)
	}
	return c, nil
}

// configError matches ErrConfig and its cause.
type configError struct {
	field string
	cause error
}

func (e *configError) Error() string {
	return ErrConfig.Error() + ": " + e.field + ": " + e.cause.Error()
}
func (e *configError) Unwrap() []error { return []error{ErrConfig, e.cause} }

// Close ends the connection. Nothing more is delivered once a running call of receive has returned.
func (c *Carrier) Close() {
	c.cancel()
	c.conn.Close()
	c.wg.Wait()
}

// Stats is what a carrier has counted since Open.
type Stats struct {
	Connected  bool
	Server     string // name of the NATS server that it is connected to; empty without a connection
	Reconnects uint64 // times the connection was lost and came back
	Received   uint64 // live messages that subscribers were given
	Sent       uint64 // live messages
}

// Stats returns what the carrier has counted.
func (c *Carrier) Stats() Stats {
	live, server := c.link.now()
	return Stats{Connected: live != nil, Server: server, Reconnects: c.reconnects.Load(), Received: c.received.Load(), Sent: c.sent.Load()}
}
