package transport

import (
	"context"
	"fmt"
	"net"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
)

// Dial connects to a server, presents the identity token, and returns when the
// session is live. ctx bounds the attempt only; give it a deadline, since Dial tries
// until it is done. A port on which nobody listens looks like silence, because anybody
// could forge the message that says otherwise.
//
// Where a name has several addresses Dial goes on to the next when one does not answer
// for a quarter of a second, and keeps the first with which a handshake is complete. The
// name is looked up again when the server is lost.
//
// A handshake from which nothing comes for 1.5 s begins anew: the server may have made
// room for somebody else, or have been replaced. After the identity token has been shown
// the server has 5 s more to look at it; when it does not answer, Dial asks
// ClientConfig.Token for another one, since the first may have been used, and begins anew
// with that.
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
	if _, err := config.Session.WithDefaults(); err != nil {
		return nil, nil, fmt.Errorf("%w: Session: %w", ErrConfig, err)
	}
	at, err := udp.Locate(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	if config.ServerName == "" {
		config.ServerName = at.Host
	}
	identity, err := config.Token(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("transport: no identity token: %w", err)
	}
	c, err := newClient(ctx, config, at)
	return c, identity, err
}

func newClient(ctx context.Context, config ClientConfig, at udp.Place) (*Client, error) {
	known, err := at.Look(ctx, maxAddresses)
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
		buffer: make([]byte, 0, udp.BufferLen), line: new(line),
	}
	conn := udp.NewConn(socket)
	c.socket.Store(&conn)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.wg.Go(c.receive)
	return c, nil
}
