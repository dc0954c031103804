package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/handshake"
	"github.com/sallyport/sallyport/record"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/wire"
)

// Client is a player's end: one session with one server, made by Dial. Its
// methods are safe for concurrent use.
type Client struct {
	config ClientConfig               // constant
	remote netip.AddrPort             // constant
	socket atomic.Pointer[packetConn] // replaced by Rebind, under mu

	ctx    context.Context // done when the client is closed
	cancel context.CancelFunc
	wg     sync.WaitGroup // receive loop, fetching of tokens; Close waits

	joined  chan struct{} // closed with WELCOME
	ended   chan struct{} // closed when the session or the attempt is over
	arrived chan struct{} // capacity 1: the inbox is not empty

	sent atomic.Uint64 // bytes

	mu sync.Mutex
	// +checklocks:mu
	line *line // on which the session lives; see client_resume.go
	// +checklocks:mu
	next *line // nil unless the session needs another line
	// +checklocks:mu
	former *line // nil unless there was one a moment ago
	// +checklocks:mu
	formerUntil time.Time
	// +checklocks:mu
	lost bool // the path is, and OnEvent has been told
	// +checklocks:mu
	disconnected bool // the server has closed the line
	// +checklocks:mu
	retryAt time.Time // no attempt before
	// +checklocks:mu
	rekeyAt uint64 // records that a line carries before it is replaced
	// +checklocks:mu
	buffer []byte // what is being sealed
	// +checklocks:mu
	copy []byte // of what may open under a second key
	// +checklocks:mu
	inbox inbox
	// +checklocks:mu
	stats ClientStats
	// +checklocks:mu
	renewAt time.Time // when to ask for a fresh token; zero means never
	// +checklocks:mu
	fetching bool // a token is being asked for
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
		config: config, remote: remote, rekeyAt: record.MaxRecords - rekeyMargin,
		joined: make(chan struct{}), ended: make(chan struct{}), arrived: make(chan struct{}, 1),
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
	select {
	case <-c.joined:
		return nil
	case <-c.ended:
		return c.over()
	case <-ctx.Done():
		return ErrTimeout
	}
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
	if err := c.send(c.line, wire.KindData, payload); err != nil {
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
	return c.line.session.MaxPayload()
}

// LocalAddr is the address that the client sends from.
func (c *Client) LocalAddr() net.Addr { return c.socket.Load().LocalAddr() }

// Expires is when the session ends unless it is renewed.
func (c *Client) Expires() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.line.session.Expires()
}

// Stats counts.
func (c *Client) Stats() ClientStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.BytesSent = c.sent.Load()
	if m := c.line.session; m != nil {
		of := m.Stats()
		s.RTT, s.Jitter, s.LostIn, s.LostOut = of.RTT, of.Jitter, of.LostIn, of.LostOut
	}
	return s
}

// Close says goodbye to the server, ends the client, and returns when nothing
// of it runs any more.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.err == nil && c.line.session != nil {
		if r := c.line.session.Close(); r.Kind != 0 {
			c.send(c.line, r.Kind, r.Body) //nolint:errcheck // a lost datagram
		}
		c.alert(c.line, record.CloseNotify[:])
	}
	c.finish(net.ErrClosed)
	first := c.line.negotiating // if Dial is at work
	c.mu.Unlock()
	c.cancel()
	err := c.socket.Load().Close()
	first.Close() //nolint:errcheck // never fails
	c.wg.Wait()
	first.Wait()
	c.wipe()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// wipe forgets all keys.
func (c *Client) wipe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range []*line{c.line, c.former} {
		if l != nil && l.record != nil {
			l.record.Wipe()
		}
	}
}

// finish ends the session once, for the first reason.
//
// +checklocks:c.mu
func (c *Client) finish(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	close(c.ended)
	if c.next != nil {
		c.abandon()
	}
}

func (c *Client) over() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *Client) write(b []byte) {
	c.sent.Add(uint64(len(b)))
	c.socket.Load().write(b, c.remote)
}

// first is the line that Dial makes.
func (c *Client) first() *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.line
}
