package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/handshake"
	"github.com/sallyport/sallyport/record"
	"github.com/sallyport/sallyport/session"
)

// Dial connects to a server, presents the identity token, and returns when the
// session is live. ctx bounds the attempt only.
//
// The error is a *CloseError when the server refuses, ErrTimeout when it does
// not answer, ErrHandshake when DTLS fails, or what ClientConfig.Token returned.
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
	remote, err := resolve(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	identity, err := config.Token(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("transport: no identity token: %w", err)
	}
	c, err := newClient(config, remote)
	return c, identity, err
}

// resolve reads host and port; a name is looked up.
func resolve(ctx context.Context, address string) (netip.AddrPort, error) {
	if ap, err := netip.ParseAddrPort(address); err == nil {
		return unmap(ap), nil
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(port)), nil
}

func newClient(config ClientConfig, remote netip.AddrPort) (*Client, error) {
	socket := config.Conn
	if socket == nil {
		var err error
		if socket, err = net.ListenUDP("udp", nil); err != nil {
			return nil, err
		}
	}
	c := &Client{
		config: config, remote: remote, rekeyAt: record.MaxRecords - rekeyMargin,
		joined: make(chan struct{}), ended: make(chan struct{}), arrived: make(chan struct{}, 1),
		heard:  make(chan struct{}, 1),
		buffer: make([]byte, 0, bufferLen),
	}
	conn := newPacketConn(socket)
	c.socket.Store(&conn)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.line = c.newLine()
	c.wg.Go(c.receive)
	return c, nil
}

// connect negotiates keys, then says HELLO until it is answered.
func (c *Client) connect(ctx context.Context, identity []byte) error {
	first := c.first()
	first.negotiating.ExpectCookie()
	err := c.negotiate(ctx, first, c.config.handshake(), func(now time.Time, r *handshake.Result) (clientMachine, error) {
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
	return ErrTimeout
}

// first is the line that Dial makes.
func (c *Client) first() *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.line
}
