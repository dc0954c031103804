package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
)

// loopUntilPoll is the goroutine that Dial starts.
func (c *Client) loopUntilPoll() {
	defer close(c.polling.looped)
	c.loop()
}

// loop runs turns in the background: until the first Poll, or the end of the session.
func (c *Client) loop() {
	t := newClientTurn(true)
	var failures udp.Failures
	for {
		_, over, err := c.turn(t, nil)
		switch {
		case over:
			return
		case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
			failures.End()
		case !errors.Is(err, net.ErrClosed):
			failures.Pause() // a socket's errors prove nothing
		}
	}
}

// clientTurn is the memory of the goroutine that runs turns.
type clientTurn struct {
	wait    bool          // for a datagram, or until something is due; constant
	buffer  []byte        // for the datagram that is read
	payload []byte        // lent to the handler
	events  []ClientEvent // for OnEvent
}

func newClientTurn(wait bool) *clientTurn {
	return &clientTurn{wait: wait, buffer: make([]byte, udp.BufferLen)}
}

// turn handles the datagrams that have come, and does what is due. One that waits handles one
// datagram at most, and is the background's; one that does not is Poll's. It returns how many
// datagrams came, whether the socket is no longer this goroutine's to read, and the last read's
// error.
func (c *Client) turn(t *clientTurn, h *ClientHandler) (n int, over bool, err error) {
	now := c.now()
	for reads := 1; ; reads++ {
		conn := c.socket.conn.Load()
		var size int
		var from netip.AddrPort
		if t.wait {
			size, from, err = conn.Read(t.buffer)
			now = c.now()
		} else {
			size, from, err = conn.TryRead(t.buffer)
		}
		last := t.wait || errors.Is(err, os.ErrDeadlineExceeded) || reads == maxTurn
		if err == nil {
			n++
		}
		over = c.handleRead(t, now, received{conn, t.buffer[:size], from, err}, last)
		if !t.wait {
			c.handOver(t, h)
		}
		if last || over {
			return n, over, err
		}
	}
}

// received is what a read of a socket has returned.
type received struct {
	conn *udp.Conn
	b    []byte
	from netip.AddrPort
	err  error
}

// handleRead handles what a read has returned, and with tick what is due. It reports whether the
// socket is no longer this goroutine's to read.
func (c *Client) handleRead(t *clientTurn, now time.Time, r received, tick bool) (over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !t.wait && !c.socket.polled && c.progress.finished(now) { // Close has ended meanwhile, and the keys are gone
		return true
	}
	switch {
	case errors.Is(r.err, net.ErrClosed):
		if c.socket.conn.Load() == r.conn { // else Rebind has replaced it
			c.state.socketClosed()
		}
	case r.err == nil:
		c.state.arrive(now, nil, r.from, r.b)
	case !errors.Is(r.err, os.ErrDeadlineExceeded):
		c.socket.blame(r.err)
	}
	if tick {
		c.tick(now)
	}
	return c.progress.finished(now) || t.wait == c.socket.polled
}

// begin starts the record layer and the machine of a connection, and handles what came before
// its keys.
//
// +checklocks:c.mu
func (c *Client) begin(now time.Time, conn *clientConn, rc *record.Conn, m *machine.Client) {
	for _, b := range conn.start(rc, m) {
		c.state.arrive(now, conn.carrier, conn.remote, b)
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
	if w.locate {
		to, place := c.state.redirect.to, c.state.redirect.addresses.place
		c.background.Go(func() { c.lookUpRedirect(to, place) })
	}
	if w.carrier != "" {
		server := w.carrier
		c.background.Go(func() { c.carryResume(server) })
	}
	if patience := w.renew; patience > 0 {
		c.background.Go(func() { c.renew(patience) })
	}
}
