package transport

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/sallyport/sallyport/handshake"
	"github.com/sallyport/sallyport/record"
	"github.com/sallyport/sallyport/session"
)

// When its path is lost a client makes another connection from the same socket, and
// goes on there with its session by ticket:
//
//	line     the connection on which the session lives; it is asked on, and may answer yet
//	next     the one that is being made: handshake, HELLO, and with WELCOME it becomes line
//	former   the one before, for what is still on its way
//
// A path that comes back before HELLO was said ends the attempt.

// errAbandoned ends an attempt that nobody waits for any more.
var errAbandoned = errors.New("transport: attempt abandoned")

// recover makes a new connection when the session needs one, and says when to look
// again.
//
// +checklocks:c.mu
func (c *Client) recover(now, due time.Time) time.Time {
	if c.former != nil && !now.Before(c.formerUntil) {
		c.former.record.Wipe()
		c.former = nil
	}
	lost := c.disconnected || c.line.session.Lost(now)
	if lost && !c.lost {
		c.notify(ClientEvent{Kind: session.EventLost})
	}
	c.lost = lost
	needed := lost || c.usedUp()
	if n := c.next; n != nil {
		if n.session != nil { // HELLO has been said
			due = earlier(due, n.session.Tick(now, n.emit))
		}
		stale := n.heard.Add(max(attemptTime, 4*c.line.session.Stats().RTT))
		if n.session == nil && !needed || !now.Before(stale) {
			c.abandon()
		} else {
			return earlier(due, stale)
		}
	}
	switch {
	case !needed || !c.line.session.Resumable():
		return due
	case now.Before(c.retryAt):
		return earlier(due, c.retryAt)
	}
	n := c.newLine()
	ctx, cancel := context.WithCancel(c.ctx)
	n.cancel, n.heard = cancel, now
	c.next = n
	c.wg.Go(func() { c.resume(ctx, n) })
	return earlier(due, now.Add(attemptTime))
}

// usedUp says whether the line's keys have protected almost as many records as they
// may, either way.
//
// +checklocks:c.mu
func (c *Client) usedUp() bool {
	return max(c.line.record.Sealed(), c.line.record.Opened()) >= c.rekeyAt
}

// resume is an attempt.
func (c *Client) resume(ctx context.Context, n *line) {
	err := c.negotiate(ctx, n, c.config.handshake(), func(now time.Time, r *handshake.Result) (clientMachine, error) {
		if c.next != n { //nolint:checklocks // negotiate holds mu
			return nil, errAbandoned
		}
		return c.line.session.Resume(now, c.channel(r)) //nolint:checklocks // likewise
	})
	n.negotiating.Wait()
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == n {
		now := time.Now()
		c.abandon()
		c.retryAt = now.Add(attemptPause)
		c.tick(now)
	}
}

// abandon gives an attempt up.
//
// +checklocks:c.mu
func (c *Client) abandon() {
	n := c.next
	c.next = nil
	n.cancel()
	n.negotiating.Close() //nolint:errcheck // never fails
	if n.record != nil {
		n.record.Wipe()
	}
}

// resumed makes the next line the one on which the session lives.
//
// +checklocks:c.mu
func (c *Client) resumed(now time.Time) {
	old := c.line
	c.line, c.next = c.next, nil
	if c.former != nil {
		c.former.record.Wipe()
	}
	c.former, c.formerUntil = old, now.Add(formerTime)
	c.disconnected, c.lost = false, false
	c.stats.Resumed++
	if old.session.Renewing() {
		c.renewAt = now // its answer may be lost, and its token used
	}
}

// refused is the answer to a ticket that does not do. The old connection may go on;
// if its path is lost the session is over.
//
// +checklocks:c.mu
func (c *Client) refused(now time.Time, ev session.Event) {
	c.abandon()
	switch {
	case ev.RetryAfter > 0:
		c.retryAt = now.Add(ev.RetryAfter)
	case c.disconnected || c.line.session.Lost(now):
		c.finish(&CloseError{Reason: ev.Reason})
		c.notify(ClientEvent{Kind: session.EventClosed, Reason: ev.Reason})
	default:
		c.retryAt = c.line.session.Expires()
	}
}

// disconnect heeds the server's close_notify: it ends the connection, and not a
// session that can be resumed.
//
// +checklocks:c.mu
func (c *Client) disconnect(l *line) {
	switch {
	case l == c.former:
	case l == c.next:
		c.abandon()
	case l.session.Resumable():
		c.disconnected = true
	default:
		c.finish(ErrDisconnected)
	}
}

// Rebind has the client go on from another socket, which it then owns: on a phone,
// one of the network that is there now. The old one is closed. The server finds the
// session by its hint, and moves it once the new path is proven.
func (c *Client) Rebind(conn net.PacketConn) error {
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return errors.Join(c.err, conn.Close())
	}
	socket := newPacketConn(conn)
	old := c.socket.Swap(&socket)
	if c.line.session != nil {
		c.line.session.Ask()
		c.tick(time.Now())
	}
	c.mu.Unlock()
	return old.Close()
}

// among opens a datagram when there is more than one connection it may be of. Since
// opening destroys what it fails on, each gets a copy.
//
// +checklocks:c.mu
func (c *Client) among(now time.Time, b []byte) {
	n := c.next
	if n != nil && n.record == nil && isHandshake(b) {
		n.deliver(now, b)
		return
	}
	for _, l := range []*line{c.line, n, c.former} {
		if l == nil || l.record == nil {
			continue
		}
		c.copy = append(c.copy[:0], b...)
		if any, _ := c.open(now, l, c.copy); any {
			if l == n {
				n.heard = now
			}
			return
		}
	}
	if n != nil && n.record == nil {
		n.deliver(now, b)
		return
	}
	c.stats.Dropped++
}

// open opens the records of a datagram, and says whether any was the line's, and how
// many were not.
//
// +checklocks:c.mu
func (c *Client) open(now time.Time, l *line, b []byte) (any bool, failed uint64) {
	for len(b) > 0 {
		rec, rest, ok := record.Next(b)
		if !ok {
			return any, failed + 1
		}
		b = rest
		typ, plaintext, err := l.record.Open(rec)
		if err != nil {
			failed++
			continue
		}
		any = true
		switch {
		case typ == record.ApplicationData:
			c.envelope(now, l, plaintext)
		case typ == record.Alert && isFinal(plaintext):
			c.disconnect(l)
		}
	}
	return any, failed
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
