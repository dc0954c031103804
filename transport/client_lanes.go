package transport

import "time"

// HasLanes reports whether the session has lanes: ClientConfig.Session.Lanes asks for them, and the
// server has some.
func (c *Client) HasLanes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.lanes.messages != nil
}

// SendMessage queues a copy of b as the next message of a lane of any mode but Latest, and returns
// the message's id, from 1 on each lane. It leaves as soon as priority, credit, the path's rate and
// the server's limits let it: at once, or, for a polled client, with the next Flush or Poll. A lane
// queues up to 262,144 bytes, counting 128 more for each message, or one message of the maximum
// length if that is more.
//
// On an error nothing has been queued: session.ErrTooLarge, ErrFull, ErrLane, ErrNoLanes, after the
// end of the session the error of Receive, or after CloseAfter one that matches net.ErrClosed.
func (c *Client) SendMessage(lane int, b []byte) (id uint64, err error) {
	err = c.withMessages(func(m *clientMessages) error {
		id, err = m.endpoint.Send(m.now, lane, b, m.letters)
		return err
	})
	return id, err
}

// SendLatest queues a copy of b as the value of key on a lane of mode Latest, as
// Player.SendLatest does. Errors are those of SendMessage.
func (c *Client) SendLatest(lane int, key uint32, b []byte) error {
	return c.withMessages(func(m *clientMessages) error { return m.endpoint.SendLatest(lane, key, b) })
}

// withMessages calls send with the lock held, and sends what may leave.
func (c *Client) withMessages(send func(m *clientMessages) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.state.lanes.messages
	if err := c.progress.over(); err != nil {
		return err
	}
	switch {
	case m == nil:
		return ErrNoLanes
	case c.state.lanes.parting:
		return errClientClosed
	}
	now := c.now()
	m.advance(now)
	if err := send(m); err != nil {
		return errorOfLanes(err)
	}
	c.state.lanes.released(now)
	return nil
}

// Flush sends what SendMessage and SendLatest have queued, as far as the limits let it leave now.
// Only a polled client needs it.
func (c *Client) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.lanes.flush(c.now())
}

// Hold collects messages until Release, so that those of one frame travel together; a polled client
// does not need it. Payloads still leave at once. Call Release once for each Hold, and soon.
func (c *Client) Hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.lanes.holds++
}

// Release ends a Hold, and sends what has been collected.
func (c *Client) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.lanes.holds = max(0, c.state.lanes.holds-1)
	c.state.lanes.flush(c.now())
}

// Delivered returns the id of the newest message of a lane that is known to have arrived, 0 before
// the first and without lanes.
func (c *Client) Delivered(lane int) (id uint64) {
	c.look(lane, func(m *clientMessages) { id = m.endpoint.Delivered(lane) })
	return id
}

// Pending returns how many messages of a lane, and how many bytes of them, have neither arrived nor
// been given up.
func (c *Client) Pending(lane int) (count, bytes int) {
	c.look(lane, func(m *clientMessages) { count, bytes = m.endpoint.Pending(lane) })
	return count, bytes
}

// Budget returns how many bytes of messages could leave now without waiting for the path's rate or
// the server's limits; 0 without lanes. A message may be longer, see Player.Budget.
func (c *Client) Budget() (bytes int) {
	c.look(0, func(m *clientMessages) {
		m.advance(c.now())
		bytes = m.endpoint.Budget(m.now)
	})
	return bytes
}

// look calls f with the lock held, if the session has the lane.
func (c *Client) look(lane int, f func(m *clientMessages)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.state.lanes.messages; m != nil && lane >= 0 && lane < m.endpoint.Lanes() {
		f(m)
	}
}

// CloseAfter closes the client as Close does, once every message of the lanes of mode Reliable,
// Ordered and Latest has arrived or been given up, and after wait at the latest. It blocks until
// then. Nothing more can be queued on the lanes: SendMessage and SendLatest return an error that
// matches net.ErrClosed. A polled client runs by itself from then on; Poll still delivers what
// arrives.
func (c *Client) CloseAfter(wait time.Duration) error {
	c.mu.Lock()
	c.state.lanes.parting = true
	if c.progress.over() == nil {
		c.runByItself()
		c.state.lanes.flush(c.now())
	}
	c.mu.Unlock()
	for end := c.now().Add(wait); !c.idle() && c.now().Before(end); {
		time.Sleep(closeAfterStep)
	}
	return c.Close()
}

// idle reports whether nothing is left to arrive.
func (c *Client) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.state.lanes.messages
	return m == nil || c.progress.over() != nil || m.endpoint.Idle()
}
