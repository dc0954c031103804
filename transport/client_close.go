package transport

import (
	"errors"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
)

// Close says goodbye to the server, ends the client, and returns when nothing
// of it runs any more. It repeats the goodbye until the server has answered, for a
// second at most: so long it takes when the server is gone. After the end of the
// session it returns at once. Send and Receive do not wait for it.
func (c *Client) Close() (err error) {
	c.closing.Do(func() { err = c.close() })
	return err
}

func (c *Client) close() error {
	c.mu.Lock()
	live := c.err == nil && c.line.session != nil
	var goodbye machine.Reply
	if live {
		if goodbye = c.line.session.Close(); goodbye.Kind != 0 {
			c.answers = time.Now().Add(closeTime)
		}
	}
	c.finish(net.ErrClosed) // and Dial, if it is at work
	c.mu.Unlock()
	c.cancel()
	if live {
		c.farewell(goodbye)
	}
	c.hush()
	err := c.socket.Load().Close()
	c.wg.Wait()
	c.wipe()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// farewell repeats CLOSE, if there is one, until it is answered or closeTime is over, and
// ends the connection.
func (c *Client) farewell(goodbye machine.Reply) {
	for _, wait := range closeWaits {
		if goodbye.Kind == 0 || !c.unheard(goodbye, wait) {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alert(c.line, record.CloseNotify[:])
}

// unheard sends CLOSE and reports whether it has not been answered within wait.
func (c *Client) unheard(goodbye machine.Reply, wait time.Duration) bool {
	c.mu.Lock()
	c.send(c.line, goodbye.Kind, goodbye.Body) //nolint:errcheck // a lost datagram
	c.mu.Unlock()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-c.heard:
		return false
	case <-t.C:
		return true
	}
}

// hush has the receive loop end with whatever the socket says next.
func (c *Client) hush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = time.Time{}
}

// answered ends the repetition of our CLOSE.
func (c *Client) answered() {
	select {
	case c.heard <- struct{}{}:
	default:
	}
}

// wipe forgets all keys.
func (c *Client) wipe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range []*line{c.line, c.former} {
		if l != nil && l.record != nil {
			l.record.Wipe()
		}
	}
}

// finish ends the session once, for the first reason.
//
// +checklocks:c.mu
func (c *Client) finish(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	close(c.ended)
	if c.next != nil {
		c.abandon()
	}
}

// conclude ends the session for a reason of the server's or the path's, and tells of it.
//
// +checklocks:c.mu
func (c *Client) conclude(err error) {
	if c.err != nil {
		return
	}
	c.finish(err)
	ev := ClientEvent{Kind: EventClosed, Err: err}
	if closed, ok := errors.AsType[*CloseError](err); ok {
		ev.Reason = closed.Reason
	}
	c.notify(ev)
}
