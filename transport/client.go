package transport

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// Client is a player's end of one session with one server, made by Dial. Its methods are safe
// for concurrent use.
type Client struct {
	config     ClientConfig // constant
	socket     clientSocket
	inbox      inbox
	progress   progress
	candidates candidates
	background background
	closing    sync.Once

	mu sync.Mutex
	// +checklocks:mu
	state clientState
}

// Send sends a copy of payload, which has at most MaxPayload bytes. It does not report whether
// the datagram arrives. A longer payload is session.ErrTooLarge or session.ErrBearerTooLarge.
// After the end of the session Send returns a *CloseError, ErrTimeout, ErrDisconnected or
// net.ErrClosed.
func (c *Client) Send(payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.progress.over(); err != nil {
		return err
	}
	if err := c.state.conns.current.send(wire.KindData, payload); err != nil {
		return err
	}
	c.state.stats.Sent++
	return nil
}

// Receive waits for the next payload and copies it to b. It returns
// io.ErrShortBuffer when b is too short for it, ctx's error, and after the end of
// the session a *CloseError, ErrTimeout, ErrDisconnected or net.ErrClosed.
func (c *Client) Receive(ctx context.Context, b []byte) (int, error) {
	for {
		over := c.progress.over() // first: payloads that came before the end are still received
		n, ok, err := c.inbox.pop(b)
		switch {
		case ok:
			return n, err
		case over != nil:
			return 0, over
		}
		select {
		case <-c.inbox.arrived:
		case <-c.progress.ended:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// MaxPayload returns the size in bytes of the largest payload that Send takes.
func (c *Client) MaxPayload() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.conns.current.machine.MaxPayload()
}

// LocalAddr returns the address that the client sends from.
func (c *Client) LocalAddr() net.Addr { return c.socket.localAddr() }

// Expires returns the time at which the session ends unless it is renewed.
func (c *Client) Expires() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.conns.current.machine.Expires()
}

// Stats returns what the client has counted since Dial.
func (c *Client) Stats() ClientStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state.stats
	s.BytesSent = c.socket.sent.Load()
	if m := c.state.conns.current.machine; m != nil {
		of := m.Stats()
		s.RTT, s.Jitter, s.LostIn, s.LostOut = of.RTT, of.Jitter, of.LostIn, of.LostOut
	}
	return s
}
