package transport

import (
	"errors"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
)

// Close tells the server that the player leaves, ends the client, and returns when nothing of it
// runs any more. It repeats its CLOSE until the server has answered, for a second at most: it
// takes that long when the server is gone. After the end of the session it returns at once. Send
// and Receive do not wait for it. A second call returns nil once the first has returned.
func (c *Client) Close() (err error) {
	c.closing.Do(func() { err = c.close() })
	return err
}

func (c *Client) close() error {
	c.mu.Lock()
	live := c.progress.over() == nil && c.state.conns.current.machine != nil
	var goodbye machine.Reply
	if live {
		goodbye = c.state.conns.current.machine.Close()
		if goodbye.Kind != 0 {
			c.progress.linger = c.now().Add(closeTime)
		}
	}
	c.state.finish(errClientClosed) // and Dial, if it is at work
	c.runByItself()                 // nobody may call Poll any more, and the client is to hear the answer
	c.mu.Unlock()
	c.background.cancel()
	if live {
		c.sayGoodbye(goodbye)
	}
	c.mu.Lock()
	c.progress.linger = time.Time{} // the loop ends with whatever the socket says next
	c.mu.Unlock()
	c.endCarriers()
	err := c.socket.conn.Load().Close()
	c.background.Wait()
	c.mu.Lock()
	c.state.conns.wipe()
	c.mu.Unlock()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// runByItself has the background read the socket again, if it was Poll's. Close has not waited for
// the background yet.
//
// +checklocks:c.mu
func (c *Client) runByItself() {
	if c.socket.polled {
		c.socket.polled = false
		c.background.Go(newClientTurn(c, true).loop)
	}
}

// sayGoodbye repeats CLOSE, if there is one, until it is answered or closeTime is over, and ends
// the connection.
func (c *Client) sayGoodbye(goodbye machine.Reply) {
	for _, wait := range closeWaits {
		if goodbye.Kind == 0 {
			break
		}
		c.mu.Lock()
		c.state.conns.current.send(goodbye.Kind, goodbye.Body) //nolint:errcheck // a lost datagram
		c.mu.Unlock()
		if c.progress.acknowledgedWithin(wait) {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.conns.current.closeNotify()
}

// finish ends the session, unless it is over already.
func (s *clientState) finish(err error) {
	if s.progress.over() != nil {
		return
	}
	s.progress.end(err)
	s.lanes.end()
	if s.conns.next != nil {
		s.conns.abandonNext()
	}
}

// conclude ends the session because of the server or the path, and notifies the user.
func (s *clientState) conclude(err error) {
	if s.progress.over() != nil {
		return
	}
	s.finish(err)
	ev := ClientEvent{Kind: EventClosed, Err: err}
	if closed, ok := errors.AsType[*CloseError](err); ok {
		ev.Reason = closed.Reason
	}
	s.reports.notify(ev)
}

// socketClosed ends the session because its socket was closed. Nothing can come any more.
func (s *clientState) socketClosed() {
	s.conclude(errSocketClosed)
	s.progress.linger = time.Time{}
	s.progress.acknowledge()
}

// disconnect heeds the server's close_notify: it ends the connection, and not a session that can
// be resumed.
func (s *clientState) disconnect(now time.Time, conn *clientConn) {
	switch {
	case conn == s.conns.former:
	case s.progress.over() != nil: // the answer to our CLOSE, or the last word after the server's
		s.progress.acknowledge()
	case conn == s.conns.next:
		conn.closeNotify()
		s.abandon(now)
		s.resumption.retryAt = now.Add(attemptPause)
	case !s.progress.hasJoined(): // connect makes another connection
		conn.closeNotify()
	case s.resumption.disconnected:
	case conn.machine.Resumable():
		conn.closeNotify()
		s.resumption.disconnected = true
	default:
		conn.closeNotify()
		s.conclude(ErrDisconnected)
	}
}
