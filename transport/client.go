package transport

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// Client is a player's end of one session with one server, made by Dial. It runs in a goroutine of
// its own until it is closed, or in Poll, which a game with a frame loop calls. Its methods are
// safe for concurrent use.
type Client struct {
	config     ClientConfig     // constant
	now        func() time.Time // time.Now, constant; what it returns differs by elapsed time, whatever steps the wall clock makes
	socket     clientSocket
	inbox      inbox
	progress   progress
	candidates candidates
	background background
	polling    polling
	closing    sync.Once

	mu sync.Mutex
	// +checklocks:mu
	state clientState
}

// Send sends a copy of payload, which has at most MaxPayload bytes. It does not report whether
// the datagram arrives. As long as messages wait or are under way, or their acknowledgements wait,
// payloads beyond nine tenths of what the server takes in a second are not sent, which is no error
// either, and ClientStats.Yielded counts them: a tenth is for lanes. A longer payload is
// session.ErrTooLarge or session.ErrBearerTooLarge. ErrNotConnected means that the session has to be
// resumed on another connection first, which the client does by itself. After the end of the session
// Send returns a *CloseError, ErrTimeout, ErrDisconnected or, after Close, an error that matches
// net.ErrClosed.
func (c *Client) Send(payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.progress.over(); err != nil {
		return err
	}
	current := c.state.conns.current
	if m := c.state.lanes.messages; m != nil {
		m.advance(c.now())
		if len(payload) <= current.machine.MaxPayload() && m.endpoint.Yields(m.now, len(payload)) {
			c.state.stats.Yielded++
			return nil
		}
	}
	if err := current.send(wire.KindData, payload); err != nil {
		return sendError(err)
	}
	c.state.stats.Sent++
	return nil
}

// Receive waits for the next payload and copies it to b. It returns io.ErrShortBuffer when b is too
// short, ctx's error when ctx ends first, and after the end of the session a *CloseError,
// ErrTimeout, ErrDisconnected or, after Close, an error that matches net.ErrClosed.
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
	s.BytesSent, s.BytesReceived = c.socket.sent.Load(), c.socket.received
	s.Overrun += c.state.lanes.letters.lost
	if m := c.state.lanes.messages; m != nil {
		s.Rate, s.Queued = m.endpoint.Rate(), queued(m.endpoint)
	}
	s.Fallback = c.state.conns.current.carrier != nil
	if m := c.state.conns.current.machine; m != nil {
		of := m.Stats()
		s.RTT, s.Jitter, s.LostIn, s.LostOut = of.RTT, of.Jitter, of.LostIn, of.LostOut
	}
	return s
}
