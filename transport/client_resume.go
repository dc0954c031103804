package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
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

// reconnect makes a new connection when the session needs one, and says when to look
// again.
//
// +checklocks:c.mu
func (c *Client) reconnect(now, due time.Time) time.Time {
	if c.former != nil && !now.Before(c.formerUntil) {
		c.former.record.Wipe()
		c.former = nil
	}
	lost := c.disconnected || c.line.session.Lost(now)
	if lost && !c.lost {
		c.notify(ClientEvent{Kind: EventLost})
	}
	if c.lost = lost; lost {
		c.look(now)
	} else {
		c.retries = 0
	}
	needed := lost || c.usedUp()
	if n := c.next; n != nil {
		if n.session != nil { // HELLO has been said
			due = earlier(due, n.session.Tick(now, n.emit))
		}
		patience := max(attemptTime, 4*c.line.session.Stats().RTT)
		if n.unsent() {
			patience = attemptPause // there may be another address
		}
		stale := n.heard.Add(patience)
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
	n := c.newLine(c.target())
	c.retries++
	n.negotiating.ExpectCookie()
	ctx, cancel := context.WithCancel(c.ctx)
	n.cancel, n.heard = cancel, now
	c.next = n
	c.wg.Go(func() { c.resume(ctx, n) })
	return earlier(due, now.Add(attemptTime))
}

// target is where the next attempt goes: to where the server was, and while that is in
// vain to the other addresses that its name has by now, one after the other.
//
// +checklocks:c.mu
func (c *Client) target() netip.AddrPort {
	addrs := []netip.AddrPort{c.line.remote}
	for _, a := range c.known {
		if !udp.Same(a, c.line.remote) {
			addrs = append(addrs, a)
		}
	}
	return addrs[c.retries%len(addrs)]
}

// look looks the server's name up again, if it has one: it may lead elsewhere by now.
//
// +checklocks:c.mu
func (c *Client) look(now time.Time) {
	if c.place.Name == "" || now.Sub(c.lookedAt) < lookInterval {
		return
	}
	c.lookedAt = now
	c.wg.Go(func() {
		ctx, cancel := context.WithTimeout(c.ctx, lookInterval)
		defer cancel()
		known, err := c.place.Look(ctx, maxAddresses)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err == nil {
			c.known = known
		}
	})
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
	err := c.negotiate(ctx, n, c.config.handshake(), func(now time.Time, r *handshake.Result) (*machine.Client, error) {
		return c.successor(now, n, r)
	})
	n.negotiating.Wait()
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == n {
		now := time.Now()
		if errors.Is(err, ErrHandshake) {
			c.failed = fmt.Errorf("%w: %w", ErrTimeout, err)
		}
		c.abandon()
		c.retryAt = now.Add(attemptPause)
		c.tick(now)
	}
}

// successor is the machine of an attempt. Its caller, negotiate, holds mu.
//
// +checklocksignore
func (c *Client) successor(now time.Time, n *line, r *handshake.Result) (*machine.Client, error) {
	if c.next != n {
		return nil, errAbandoned
	}
	return c.line.session.Resume(now, c.channel(r))
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
	c.line.cancel() // its handshake is long over
	if c.former != nil {
		c.former.record.Wipe()
	}
	c.former, c.formerUntil = old, now.Add(formerTime)
	c.disconnected, c.lost, c.retryAt, c.retries, c.refusal, c.failed = false, false, time.Time{}, 0, nil, nil
	c.stats.Resumed++
	if lost := old.session.Expires().Sub(c.line.session.Expires()); old.session.Renewing() || lost > clockError {
		c.renewAt = now // an answer may be lost, and its token used
	}
}

// refused is the answer to a ticket that does not do. The old connection may go on;
// if its path is lost the session is over, unless there is another ticket, or this one
// is one that the server has taken before.
//
// +checklocks:c.mu
func (c *Client) refused(now time.Time, ev machine.Event) {
	overtaken := c.next.overtaken
	c.abandon()
	over := c.disconnected || c.line.session.Lost(now) && !c.line.session.Shown()
	switch {
	case ev.RetryAfter > 0:
		c.retryAt = now.Add(ev.RetryAfter)
	case overtaken:
		c.retryAt = now.Add(attemptPause)
	case ev.Reason == wire.ReasonFingerprint: // in this network; the player may be at home again before the idle time is over
		c.refusal = &CloseError{Reason: ev.Reason}
		c.retryAt = now.Add(refusedPause)
	case over:
		c.conclude(closeErrorOf(ev))
	default:
		c.retryAt = now.Add(refusedPause)
	}
}

// disconnect heeds the server's close_notify: it ends the connection, and not a
// session that can be resumed.
//
// +checklocks:c.mu
func (c *Client) disconnect(now time.Time, l *line) {
	switch {
	case l == c.former:
	case c.err != nil: // the answer to our CLOSE, or the last word after the server's
		c.answered()
	case l == c.next:
		c.alert(l, record.CloseNotify[:])
		c.abandon()
		c.retryAt = now.Add(attemptPause)
	case c.disconnected:
	case l.session.Resumable():
		c.alert(l, record.CloseNotify[:])
		c.disconnected = true
	default:
		c.alert(l, record.CloseNotify[:])
		c.conclude(ErrDisconnected)
	}
}
