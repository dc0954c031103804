package transport

// ClientHandler holds a game's callbacks for what its client receives. Each function may be nil,
// and must not block. Poll and Serve call them from their caller's goroutine, one at a time; they
// may call the client's methods except Poll and Serve. Bytes are borrowed: they are valid until the
// function returns.
type ClientHandler struct {
	// Receive is called for each payload. Without it payloads wait for Client.Receive.
	Receive func(payload []byte)
	// Message is called for each message of a lane of any mode but Latest, in the order of its mode,
	// with the id that the server's SendMessage has returned. Without it messages are discarded.
	Message func(lane int, id uint64, b []byte)
	// Latest is called with the newest value of a key of a lane of mode Latest. An empty value means
	// that the key was removed.
	Latest func(lane int, key uint32, b []byte)
	// Receipt is called once for each message to the server on a lane with Receipts: arrived reports
	// whether the server is known to have it.
	Receipt func(lane int, id uint64, arrived bool)
}

// handOver gives the handler what has come: payloads first.
func (t *clientTurn) handOver(h *ClientHandler) {
	c := t.client
	for h.Receive != nil {
		payload, ok := c.inbox.swap(t.payload)
		if !ok {
			break
		}
		t.payload = payload
		h.Receive(payload)
	}
	var l *letter
	defer func() {
		if l != nil { // the handler has panicked: its message is credit all the same
			c.mu.Lock()
			defer c.mu.Unlock()
			c.state.lanes.dealtWith(c.now, l)
		}
	}()
	for l = t.nextLetter(nil); l != nil; l = t.nextLetter(l) {
		h.take(l)
	}
}

// take calls the function that a letter is for.
func (h *ClientHandler) take(l *letter) {
	switch {
	case l.kind == letterMessage && h.Message != nil:
		h.Message(int(l.lane), l.id, l.b)
	case l.kind == letterLatest && h.Latest != nil:
		h.Latest(int(l.lane), uint32(l.id), l.b)
	case l.kind == letterReceipt && h.Receipt != nil:
		h.Receipt(int(l.lane), l.id, l.arrived)
	}
}

// nextLetter returns the oldest letter, nil if there is none, and takes the one before it back.
func (t *clientTurn) nextLetter(done *letter) *letter {
	c := t.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if done != nil {
		c.state.lanes.dealtWith(c.now, done)
	}
	return c.state.lanes.letters.pop()
}

// Serve delivers everything that has arrived since Dial, and what arrives from now on, to h, on the
// caller's goroutine, until the session is over; then it returns the error of Receive. It is for a
// game without a frame loop; a game with one calls Poll. The error is ErrServing while Poll or
// another Serve runs, or once Poll has been called.
func (c *Client) Serve(h ClientHandler) error {
	if !c.polling.turns.Try() {
		return ErrServing
	}
	defer c.polling.turns.End()
	if c.polling.turn != nil {
		return ErrServing
	}
	t := &clientTurn{client: c}
	payloads := c.inbox.arrived
	if h.Receive == nil {
		payloads = nil // they are for Receive
	}
	for {
		over := c.progress.over() // first: what came before the end is still handed over
		if t.handOver(&h); over != nil {
			return over
		}
		select {
		case <-payloads:
		case <-c.inbox.letters:
		case <-c.progress.ended:
		}
	}
}
