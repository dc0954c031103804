package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// Client is a player's end: one session with one server, made by Dial. Its
// methods are safe for concurrent use.
type Client struct {
	config ClientConfig             // constant
	place  udp.Place                // of the server; constant
	socket atomic.Pointer[udp.Conn] // replaced by Rebind, under mu

	ctx    context.Context // done when the client is closed
	cancel context.CancelFunc
	wg     sync.WaitGroup // receive loop, fetching of tokens; Close waits

	joined  chan struct{} // closed with WELCOME
	ended   chan struct{} // closed when the session or the attempt is over
	heard   chan struct{} // capacity 1: nobody needs to repeat our CLOSE any more
	closing sync.Once
	arrived chan struct{} // capacity 1: the inbox is not empty
	unsent  chan struct{} // capacity 1: the socket has refused to send something

	sent  atomic.Uint64         // bytes
	fault atomic.Pointer[error] // the socket's last, since anything came from the server

	mu sync.Mutex
	// +checklocks:mu
	line *line // on which the session lives; see client_resume.go
	// +checklocks:mu
	next *line // nil unless the session needs another line
	// +checklocks:mu
	former *line // nil unless there was one a moment ago
	// +checklocks:mu
	trying []*line // handshakes of Dial's, of which one becomes line
	// +checklocks:mu
	formerUntil time.Time
	// +checklocks:mu
	lost bool // the path is, and OnEvent has been told
	// +checklocks:mu
	disconnected bool // the server has closed the line
	// +checklocks:mu
	failed error // why the last attempt has failed, if that is known
	// +checklocks:mu
	refusal error // why no attempt succeeds as long as the player is where it is; nil if the server has not said so
	// +checklocks:mu
	retryAt time.Time // no attempt before
	// +checklocks:mu
	retries int // attempts since the path was lost
	// +checklocks:mu
	known []netip.AddrPort // where the server's name led when it was last looked up
	// +checklocks:mu
	lookedAt time.Time // when that began
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
	// +checklocks:mu
	answers time.Time // until when the receive loop goes on after that: for what is said at the end
}

// Send sends payload, at most MaxPayload bytes, which are copied. It never says
// whether the datagram arrives. For a longer one it returns session.ErrTooLarge or
// session.ErrBearerTooLarge, after the end of the session a *CloseError, ErrTimeout,
// ErrDisconnected or net.ErrClosed.
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
// of the session a *CloseError, ErrTimeout, ErrDisconnected or net.ErrClosed.
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

func (c *Client) over() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// write sends a datagram of a line's. One that the network refuses is lost, as any may be.
func (c *Client) write(l *line, b []byte) {
	c.sent.Add(uint64(len(b)))
	if err := c.socket.Load().Write(b, l.remote); err == nil {
		l.sent.Store(true)
	} else {
		c.fault.Store(&err)
		l.refused.Store(true)
		select {
		case c.unsent <- struct{}{}:
		default:
		}
	}
}

// silence is ErrTimeout, and with it what the socket has said since the server was last
// heard: then it may be this machine that is to blame.
func (c *Client) silence() error {
	if err := c.fault.Load(); err != nil {
		return fmt.Errorf("%w: %w", ErrTimeout, *err)
	}
	return ErrTimeout
}
