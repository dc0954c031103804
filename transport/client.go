package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport/sallyport/handshake"
	"github.com/sallyport/sallyport/record"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/wire"
)

// Client is a player's end: one session with one server, made by Dial. Its
// methods are safe for concurrent use.
type Client struct {
	config ClientConfig   // constant
	remote netip.AddrPort // constant
	socket packetConn     // constant

	ctx    context.Context // done when the client is closed
	cancel context.CancelFunc
	wg     sync.WaitGroup // receive loop, fetching of tokens; Close waits

	negotiating *handshake.Conn // constant
	joined      chan struct{}   // closed with WELCOME
	ended       chan struct{}   // closed when the session or the attempt is over
	arrived     chan struct{}   // capacity 1: the inbox is not empty

	mu sync.Mutex
	// +checklocks:mu
	record *record.Conn // nil during the handshake
	// +checklocks:mu
	session clientMachine
	// +checklocks:mu
	emit func(kind wire.Kind, body []byte) // say, made once
	// +checklocks:mu
	backlog [][]byte
	// +checklocks:mu
	buffer []byte // what is being sealed
	// +checklocks:mu
	inbox inbox
	// +checklocks:mu
	stats ClientStats
	// +checklocks:mu
	renewAt time.Time // when to ask for a fresh token; zero while asking
	// +checklocks:mu
	err error // why it is over
}

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
		config: config, remote: remote, socket: newPacketConn(socket),
		joined: make(chan struct{}), ended: make(chan struct{}), arrived: make(chan struct{}, 1),
		buffer: make([]byte, 0, bufferLen),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.negotiating = handshake.NewConn(false, socket.LocalAddr(), udpAddr(remote), c.write)
	c.wg.Go(c.receive)
	return c, nil
}

// clientMachine is what a client carries: a *session.Client, or in a DTLSClient
// nothing but payloads.
type clientMachine interface {
	appender
	Handle(now time.Time, msg []byte) (session.Reply, session.Event)
	Tick(now time.Time, send func(kind wire.Kind, body []byte)) time.Time
	Silent(now time.Time) bool
	Renew(now time.Time, identity []byte) error
	Close() session.Reply
	Expires() time.Time
	MaxPayload() int
}

// connect negotiates keys, then says HELLO until it is answered.
func (c *Client) connect(ctx context.Context, identity []byte) error {
	err := c.negotiate(ctx, c.config.handshake(), func(now time.Time, r *handshake.Result) (clientMachine, error) {
		return session.NewClient(now, c.config.Session, c.channel(r), identity)
	})
	if err != nil {
		return err
	}
	select {
	case <-c.joined:
		return nil
	case <-c.ended:
		return c.over()
	case <-ctx.Done():
		return ErrTimeout
	}
}

// channel is what the client's machine has to know of the handshake's result:
// of certificates, its own.
func (c *Client) channel(r *handshake.Result) session.Channel {
	ch := channel(r)
	ch.HasCertificate, ch.Thumbprint = false, [32]byte{}
	if cert := c.config.Certificate; cert != nil && r.Shown {
		ch.HasCertificate, ch.Thumbprint = true, thumbprint(cert.Certificate[0])
	}
	return ch
}

// negotiate agrees on keys, and starts the machine that start returns.
func (c *Client) negotiate(
	ctx context.Context, config handshake.Config, start func(time.Time, *handshake.Result) (clientMachine, error),
) error {
	result, err := engine.Client(ctx, c.negotiating, &config)
	switch {
	case ctx.Err() != nil:
		return ErrTimeout
	case err != nil:
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	defer result.Secrets.Wipe()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	rc, err := record.New(&result.Secrets, true, result.Next, 0)
	if err != nil {
		return err
	}
	machine, err := start(now, result)
	if err != nil {
		return err
	}
	c.begin(now, rc, machine)
	return nil
}

// begin starts the record layer and the machine, and looks at what came early.
//
// +checklocks:c.mu
func (c *Client) begin(now time.Time, rc *record.Conn, m clientMachine) {
	c.record, c.session, c.emit = rc, m, c.say
	for _, b := range c.backlog {
		c.datagram(now, b)
	}
	c.backlog = nil
	c.tick(now)
}

// Send sends payload, at most MaxPayload bytes, which are copied. It never says
// whether the datagram arrives. After the end of the session it returns a
// *CloseError or net.ErrClosed.
func (c *Client) Send(payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if err := c.send(wire.KindData, payload); err != nil {
		return err
	}
	c.stats.Sent++
	return nil
}

// Receive waits for the next payload and copies it to b. It returns
// io.ErrShortBuffer when b is too short for it, ctx's error, and after the end
// of the session a *CloseError, ErrTimeout or net.ErrClosed.
func (c *Client) Receive(ctx context.Context, b []byte) (int, error) {
	for {
		c.mu.Lock()
		n, ok, err := c.inbox.pop(b)
		if c.inbox.count > 0 {
			c.announce() // to another one that waits
		}
		over := c.err
		c.mu.Unlock()
		switch {
		case ok:
			return n, err
		case over != nil:
			return 0, over
		}
		select {
		case <-c.arrived:
		case <-c.ended:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// MaxPayload is the largest payload in bytes that Send takes.
func (c *Client) MaxPayload() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session.MaxPayload()
}

// LocalAddr is the address that the client sends from.
func (c *Client) LocalAddr() net.Addr { return c.socket.LocalAddr() }

// Expires is when the session ends unless it is renewed.
func (c *Client) Expires() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session.Expires()
}

// Stats counts.
func (c *Client) Stats() ClientStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Close says goodbye to the server, ends the client, and returns when nothing
// of it runs any more.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.err == nil && c.session != nil {
		if r := c.session.Close(); r.Kind != 0 {
			c.send(r.Kind, r.Body) //nolint:errcheck // a lost datagram
		}
		c.alert(record.CloseNotify[:])
	}
	c.finish(net.ErrClosed)
	c.mu.Unlock()
	c.cancel()
	err := c.socket.Close()
	c.negotiating.Close() //nolint:errcheck // never fails
	c.wg.Wait()
	c.negotiating.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// finish ends the session once, for the first reason.
//
// +checklocks:c.mu
func (c *Client) finish(err error) {
	if c.err == nil {
		c.err = err
		close(c.ended)
	}
}

func (c *Client) over() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *Client) write(b []byte) { c.socket.write(b, c.remote) }
