package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
)

// receive is the loop of the goroutine that reads the socket, and wakes for what is due.
func (c *Client) receive() {
	b := make([]byte, udp.BufferLen)
	var failures udp.Failures
	for {
		conn := c.socket.conn.Load()
		n, from, err := conn.Read(b)
		now := time.Now()
		c.mu.Lock()
		switch {
		case errors.Is(err, net.ErrClosed):
			if c.socket.conn.Load() == conn { // else Rebind has replaced it
				c.state.socketClosed()
			}
		case err == nil:
			c.state.arrive(now, from, b[:n])
		case !errors.Is(err, os.ErrDeadlineExceeded):
			c.socket.blame(err)
		}
		c.tick(now)
		over := c.progress.over() != nil && !now.Before(c.state.linger)
		c.mu.Unlock()
		if over {
			return
		}
		switch {
		case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
			failures.End()
		case !errors.Is(err, net.ErrClosed):
			failures.Pause() // a socket's errors prove nothing
		}
	}
}

// begin starts the record layer and the machine of a connection, and handles what came before
// its keys.
//
// +checklocks:c.mu
func (c *Client) begin(now time.Time, conn *clientConn, rc *record.Conn, m *machine.Client) {
	for _, b := range conn.start(rc, m) {
		c.state.arrive(now, conn.remote, b)
	}
	c.tick(now)
}

// tick does what is due.
//
// +checklocks:c.mu
func (c *Client) tick(now time.Time) {
	w := c.state.tick(now)
	if next := w.attempt; next != nil {
		ctx, cancel := context.WithCancel(c.background.ctx)
		next.cancel = cancel
		c.background.Go(func() { c.resume(ctx, next) })
	}
	if w.lookUp {
		place := c.state.addresses.place
		c.background.Go(func() { c.lookUp(place) })
	}
	if w.renew {
		c.background.Go(c.renew)
	}
}
