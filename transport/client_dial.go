package transport

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/sallyport/sallyport/handshake"
	"github.com/sallyport/sallyport/record"
	"github.com/sallyport/sallyport/session"
)

// Dial connects to a server, presents the identity token, and returns when the
// session is live. ctx bounds the attempt only.
//
// Where a name has several addresses Dial goes on to the next when one does not answer
// for a quarter of a second, and keeps the first with which a handshake is complete. The
// name is looked up again when the server is lost.
//
// The error is a *CloseError when the server refuses, ErrTimeout when it does
// not answer, ErrHandshake when DTLS fails, or what ClientConfig.Token returned. With
// ErrTimeout it wraps what the socket said meanwhile, if anything; where the socket sends
// nothing at all, it comes within a second.
//
// A server lets at most eight clients of one /24 negotiate at once until they
// have returned its cookie; who starts many clients keeps to that number.
func Dial(ctx context.Context, address string, config ClientConfig) (*Client, error) {
	c, identity, err := prepare(ctx, address, config)
	if err != nil {
		if config.Conn != nil {
			_ = config.Conn.Close()
		}
		return nil, err
	}
	if err := c.connect(ctx, identity); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// prepare does what comes before the first datagram.
func prepare(ctx context.Context, address string, config ClientConfig) (*Client, []byte, error) {
	if config.Token == nil {
		return nil, nil, errNoToken
	}
	at, err := locate(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	if config.ServerName == "" {
		config.ServerName = at.host
	}
	identity, err := config.Token(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("transport: no identity token: %w", err)
	}
	c, err := newClient(ctx, config, at)
	return c, identity, err
}

func newClient(ctx context.Context, config ClientConfig, at place) (*Client, error) {
	known, err := at.look(ctx)
	if err != nil {
		return nil, err
	}
	socket := config.Conn
	if socket == nil {
		if socket, err = net.ListenUDP("udp", nil); err != nil {
			return nil, err
		}
	}
	c := &Client{
		config: config, place: at, known: known, rekeyAt: record.MaxRecords - rekeyMargin,
		joined: make(chan struct{}), ended: make(chan struct{}), arrived: make(chan struct{}, 1),
		heard: make(chan struct{}, 1), unsent: make(chan struct{}, 1),
		buffer: make([]byte, 0, bufferLen), line: new(line),
	}
	conn := newPacketConn(socket)
	c.socket.Store(&conn)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.wg.Go(c.receive)
	return c, nil
}

// connect negotiates keys, then says HELLO until it is answered.
func (c *Client) connect(ctx context.Context, identity []byte) error {
	err := c.search(ctx, c.config.handshake(), true, func(now time.Time, r *handshake.Result) (clientMachine, error) {
		return session.NewClient(now, c.config.Session, c.channel(r), identity)
	})
	if err != nil {
		return err
	}
	return c.welcomed(ctx)
}

// welcomed waits until HELLO is answered. Whatever has come since, a client that
// was let in has joined: Receive says whether it is over again.
func (c *Client) welcomed(ctx context.Context) error {
	select {
	case <-c.joined:
	case <-c.ended:
	case <-ctx.Done():
	}
	select {
	case <-c.joined:
		return nil
	default:
	}
	if err := c.over(); err != nil {
		return err
	}
	return c.silence()
}
