package transport

import (
	"github.com/sallyport/sallyport/internal/dtls"
)

// polling is how Poll takes turns.
type polling struct {
	looped chan struct{} // closed when the loop that Dial has started no longer reads the socket

	turns dtls.Turns  // full while Poll or Serve runs
	turn  *clientTurn // whose turn it is; nil before the first Poll
}

// reports is what the next Poll is to tell. Client.mu guards it.
type reports struct {
	onEvent func(ClientEvent) // ClientConfig.OnEvent; constant
	queue   bool              // Poll has been called, which calls onEvent
	events  []ClientEvent     // for it
	carried int               // datagrams that carriers have brought since the last Poll
}

// notify tells the user's OnEvent, or has Poll tell it.
func (r *reports) notify(ev ClientEvent) {
	switch {
	case r.onEvent == nil:
	case r.queue:
		r.events = append(r.events, ev)
	default:
		r.onEvent(ev)
	}
}

// Poll is for a game with a frame loop, which calls it once a frame: it handles everything that has
// come since the last Poll, or since Dial, on the caller's goroutine and without waiting, does what
// is due, and returns the number of datagrams. What a client otherwise does by itself happens in
// Poll: it keeps the session alive, renews it, and resumes it. A client that is not polled for the
// server's idle time, 30 s by default, is considered gone.
//
// The first Poll ends the goroutine that Dial has started, and from then on the client has none of
// its own, except while it negotiates keys for another connection, looks up the server's name,
// waits for ClientConfig.Token or Fallback, reads what that has returned, or is closed. OnEvent is then called by Poll, too. On systems other
// than Linux, and on a ClientConfig.Conn that is no *net.UDPConn, Poll waits a tenth of a
// millisecond for a datagram, by the socket's read deadline.
//
// The error is ErrServing while another Poll runs. After the end of the session, once everything
// that came before has been delivered, it is that of Receive.
//
// Messages that the handler sends on lanes, or that are sent after Poll returns, leave with the next
// Flush or Poll; payloads of Send leave at once.
func (c *Client) Poll(h ClientHandler) (int, error) {
	if !c.polling.turns.Try() {
		return 0, ErrServing
	}
	defer c.polling.turns.End()
	if c.polling.turn == nil {
		c.endLoop()
		c.polling.turn = newClientTurn(c, false)
	}
	t := c.polling.turn
	n := 0
	if c.polled() {
		n, _, _ = t.run(&h)
	}
	n += c.takeCarried()
	over := c.progress.over() // first: payloads that came before the end are still handed over
	t.handOver(&h)
	for _, ev := range t.takeEvents() {
		c.config.OnEvent(ev)
	}
	return n, over
}

// endLoop has the background leave the socket to Poll, unless the client is about to close.
func (c *Client) endLoop() {
	c.mu.Lock()
	if c.state.reports.queue = true; c.state.lanes.parting || c.progress.over() == errClientClosed {
		c.mu.Unlock()
		return
	}
	c.socket.polled = true
	c.socket.interrupt()
	c.mu.Unlock()
	<-c.polling.looped
}

// polled reports whether Poll has a socket to read.
func (c *Client) polled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.socket.polled && !c.progress.finished(c.now())
}

// takeCarried returns how many datagrams carriers have brought since it was last called.
func (c *Client) takeCarried() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, c.state.reports.carried = c.state.reports.carried, 0
	return n
}

// takeEvents returns what OnEvent has not been told yet.
func (t *clientTurn) takeEvents() []ClientEvent {
	c := t.client
	c.mu.Lock()
	defer c.mu.Unlock()
	t.events, c.state.reports.events = c.state.reports.events, t.events[:0]
	return t.events
}
