package transport

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// loopUntilPoll is the goroutine that Dial starts.
func (c *Client) loopUntilPoll() {
	defer close(c.polling.looped)
	newClientTurn(c, true).loop()
}

// clientTurn belongs to one goroutine: the background, Poll or Serve. It runs turns, which Serve
// leaves to the background, and hands over what they bring.
type clientTurn struct {
	client  *Client       // constant
	wait    bool          // for a datagram, or until something is due; constant
	buffer  []byte        // for the datagram that is read
	payload []byte        // lent to the handler
	events  []ClientEvent // for OnEvent
}

func newClientTurn(c *Client, wait bool) *clientTurn {
	return &clientTurn{client: c, wait: wait, buffer: make([]byte, udp.BufferLen)}
}

// loop runs turns in the background: until the first Poll, or the end of the session.
func (t *clientTurn) loop() {
	var failures udp.Failures
	for {
		_, over, err := t.run(nil)
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

// run handles the datagrams that have come, and does what is due. A turn that waits handles one
// datagram at most, and is the background's; one that does not is Poll's. It returns how many
// datagrams came, whether the socket is no longer this goroutine's to read, and the last read's
// error.
func (t *clientTurn) run(h *ClientHandler) (n int, over bool, err error) {
	c := t.client
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
		over = t.handle(now, received{conn, t.buffer[:size], from, err}, last)
		if !t.wait {
			t.handOver(h)
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

// handle handles what a read has returned, and with tick what is due. It reports whether the
// socket is no longer this goroutine's to read.
func (t *clientTurn) handle(now time.Time, r received, tick bool) (over bool) {
	c := t.client
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
