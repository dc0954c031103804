package plaindtls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
)

// Client is a DTLS client. Its methods are safe for concurrent use.
type Client struct {
	identity

	socket   udp.Conn    // constant
	payloads chan []byte // received
	free     chan []byte // memory for more
	ended    chan struct{}
	wg       sync.WaitGroup // everything that runs

	mu sync.Mutex
	// +checklocks:mu
	attempts []*attempt // handshakes, until one is complete
	// +checklocks:mu
	remote netip.AddrPort // the server's, from then on
	// +checklocks:mu
	record *record.Conn
	// +checklocks:mu
	buffer []byte
	// +checklocks:mu
	err error // why it is over
}

// attempt is a handshake with one of the server's addresses.
type attempt struct {
	remote  netip.AddrPort
	conn    *handshake.Conn
	backlog [][]byte // came while the engine was done and the keys not here
}

// agreed is the end of a handshake.
type agreed struct {
	*attempt
	result *handshake.Result
	err    error
}

// Dial connects to a server and returns when the handshake is complete. ctx
// bounds the attempt only.
//
// The error is ErrTimeout when the server does not answer, or ErrHandshake; what
// is wrong with the server's certificate is in its chain, for errors.As.
func Dial(ctx context.Context, address string, config Config) (*Client, error) {
	if err := config.checkMTU(); err != nil {
		return nil, err
	}
	at, err := udp.Locate(ctx, address)
	if err != nil {
		return nil, err
	}
	addrs, err := at.Look(ctx, maxAddresses)
	if err != nil {
		return nil, err
	}
	if config.ServerName == "" {
		config.ServerName = at.Host
	}
	socket := config.Conn
	if socket == nil {
		if socket, err = net.ListenUDP("udp", nil); err != nil {
			return nil, err
		}
	}
	c := &Client{
		socket: udp.NewConn(socket), payloads: make(chan []byte, receiveQueue), free: make(chan []byte, receiveQueue),
		ended: make(chan struct{}), buffer: make([]byte, 0, udp.BufferLen),
	}
	c.wg.Go(c.read)
	if err := c.connect(ctx, addrs, config.handshake()); err != nil {
		c.Close() //nolint:errcheck // err says more
		return nil, err
	}
	return c, nil
}

// connect negotiates with the first address, while that does not answer with the next one too,
// and so on, and keeps the first handshake that is complete.
func (c *Client) connect(ctx context.Context, addrs []netip.AddrPort, config handshake.Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan agreed)
	pause := time.NewTicker(addressPause)
	defer pause.Stop()
	begun, failed := 0, 0
	var wrong error
	for {
		if begun < len(addrs) {
			c.negotiate(ctx, addrs[begun], &config, results)
			begun++
		}
		select {
		case r := <-results:
			if r.err == nil {
				return c.take(r)
			}
			if ctx.Err() != nil {
				return c.late(wrong)
			}
			if wrong == nil {
				wrong = r.err
			}
			if failed++; failed == len(addrs) {
				return fmt.Errorf("%w: %w", ErrHandshake, wrong)
			}
		case <-pause.C:
		case <-ctx.Done():
			return c.late(wrong)
		}
	}
}

// late is why there is no connection when the time is over: a handshake has failed, or an alert
// says what is wrong, or nothing has come.
func (c *Client) late(wrong error) error {
	if wrong != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, wrong)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.attempts {
		err := a.conn.Failure(context.DeadlineExceeded)
		if handshake.KindOf(err) != handshake.KindTimeout {
			return fmt.Errorf("%w: %w", ErrHandshake, err)
		}
	}
	return ErrTimeout
}

// negotiate begins a handshake with an address.
func (c *Client) negotiate(ctx context.Context, remote netip.AddrPort, config *handshake.Config, results chan<- agreed) {
	a := &attempt{remote: remote}
	a.conn = handshake.NewConn(false, c.LocalAddr(), net.UDPAddrFromAddrPort(remote), func(b []byte) {
		_ = c.socket.Write(b, remote) // lost, as any datagram may be
	})
	c.mu.Lock()
	c.attempts = append(c.attempts, a)
	c.mu.Unlock()
	c.wg.Go(func() {
		result, err := dtls.Engine.Client(ctx, a.conn, config)
		select {
		case results <- agreed{a, result, err}:
		case <-ctx.Done():
			if err == nil {
				result.Secrets.Wipe()
			}
		}
		a.conn.Wait()
	})
}

// take takes a handshake's keys over, and looks at what came early.
func (c *Client) take(r agreed) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer r.result.Secrets.Wipe()
	c.identity, c.remote, c.attempts = identityOf(r.result), r.remote, nil
	if c.record, err = record.New(&r.result.Secrets, true, r.result.Next, 0); err != nil {
		return err
	}
	for _, b := range r.backlog {
		c.open(b)
	}
	return nil
}

// read is the client's receiving goroutine.
func (c *Client) read() {
	b := make([]byte, udp.BufferLen)
	var failed udp.Failures
	for {
		n, from, err := c.socket.Read(b)
		switch {
		case err == nil:
			failed.End()
			c.arrived(from, b[:n])
		case errors.Is(err, net.ErrClosed):
			return
		default:
			failed.Pause()
		}
	}
}

// arrived hands a datagram to the handshakes or to the record layer.
func (c *Client) arrived(from netip.AddrPort, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.record != nil {
		if udp.Same(from, c.remote) {
			c.open(b)
		}
		return
	}
	for _, a := range c.attempts {
		if udp.Same(from, a.remote) && a.conn.Deliver(b) == handshake.Divert && len(a.backlog) < dtls.MaxBacklog {
			a.backlog = append(a.backlog, slices.Clone(b))
		}
	}
}

// open opens the records of a datagram.
//
// +checklocks:c.mu
func (c *Client) open(b []byte) {
	for len(b) > 0 {
		rec, rest, ok := record.Next(b)
		if !ok {
			return
		}
		b = rest
		typ, plaintext, err := c.record.Open(rec)
		switch {
		case err != nil:
		case typ == record.ApplicationData && c.err == nil:
			c.push(plaintext)
		case typ == record.Alert && dtls.IsFinal(plaintext):
			c.finish(io.EOF)
		}
	}
}

// push has a payload received; where too many wait, the oldest goes.
func (c *Client) push(payload []byte) {
	var b []byte
	select {
	case b = <-c.free:
	default:
	}
	b = append(b[:0], payload...)
	for {
		select {
		case c.payloads <- b:
			return
		default:
		}
		select {
		case <-c.payloads:
		default:
		}
	}
}

// finish ends the connection, once.
//
// +checklocks:c.mu
func (c *Client) finish(err error) {
	if c.err == nil {
		c.err = err
		close(c.ended)
	}
}

// LocalAddr is the address that the client sends from.
func (c *Client) LocalAddr() net.Addr { return c.socket.LocalAddr() }

// Send sends payload, at most MaxPayload bytes, which are copied. It never
// says whether the record arrives. It returns io.EOF when the server has left,
// and net.ErrClosed after Close.
func (c *Client) Send(payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return c.err
	case len(payload) > MaxPayload:
		return ErrTooLarge
	}
	b, err := seal(c.buffer, c.record, payload)
	if err == nil {
		_ = c.socket.Write(b, c.remote) // lost, as any datagram may be
	}
	return err
}

// Receive waits for the next payload and copies it to b. It returns
// io.ErrShortBuffer when b is too short for it, ctx's error, io.EOF when the
// server has left, and net.ErrClosed after Close.
func (c *Client) Receive(ctx context.Context, b []byte) (int, error) {
	select { // what came before the end is received
	case payload := <-c.payloads:
		return c.copyTo(b, payload)
	default:
	}
	select {
	case payload := <-c.payloads:
		return c.copyTo(b, payload)
	case <-c.ended:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return 0, c.err
}

// copyTo copies a payload to b, and keeps its memory for another one.
func (c *Client) copyTo(b, payload []byte) (int, error) {
	defer func() {
		select {
		case c.free <- payload:
		default:
		}
	}()
	if len(payload) > len(b) {
		return 0, io.ErrShortBuffer
	}
	return copy(b, payload), nil
}

// Close sends close_notify to the server and returns when nothing of the client runs
// any more.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.record != nil && c.err == nil {
		if b, err := c.record.Seal(c.buffer[:0], record.Alert, record.CloseNotify[:]); err == nil {
			_ = c.socket.Write(b, c.remote) // lost, as any datagram may be
		}
	}
	c.finish(net.ErrClosed)
	for _, a := range c.attempts {
		a.conn.Close() //nolint:errcheck // never fails
	}
	c.mu.Unlock()
	err := c.socket.Close()
	c.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
