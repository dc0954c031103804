package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
)

// errAbandoned ends an attempt that nobody waits for any more.
var errAbandoned = errors.New("transport: attempt abandoned")

// reconnect makes another connection when the session needs one, and returns when to look again,
// due at the latest.
func (s *clientState) reconnect(now, due time.Time, w *work) time.Time {
	s.conns.expireFormer(now)
	current := s.conns.current
	needed := s.checkPath(now, w) || s.resumption.usedUp(current.record)
	w.locate = s.redirect.open(now) && s.redirect.addresses.lookUpDue(now)
	goOn, sent := s.redirect.due(now)
	if next := s.conns.next; next != nil {
		if next.machine != nil { // HELLO has been said
			due = earlier(due, next.machine.Tick(now, next.emit))
		}
		stale := next.heard.Add(s.conns.patience())
		makesRoom, displaced := s.fallback.displaced(next)
		switch {
		case displaced && !now.Before(makesRoom):
			s.conns.abandonNext()
		case (needed || next.resuming.redirect && s.redirect.open(now) || next.machine != nil) && now.Before(stale):
			if displaced {
				stale = earlier(stale, makesRoom)
			}
			return earlier(due, stale)
		default:
			s.fallback.inVain(now, next, stale)
			s.abandon(now)
		}
		goOn, sent = s.redirect.due(now)
	}
	if s.redirect.closed != nil { // else the other server is one more way to go on
		needed, due = false, earlier(due, s.redirect.until)
	}
	if !current.machine.Resumable() {
		return due
	}
	by, due := s.carry(now, due, needed, w)
	switch {
	case by != nil:
		s.conns.next = newConnBy(now, s.socket, by, by.remote)
		s.conns.next.resuming.redirect = by.server == s.redirect.to
	case sent:
		s.conns.next = newClientConn(now, s.socket, s.redirect.target())
		s.conns.next.resuming.redirect = true
	case needed && !now.Before(s.resumption.retryAt):
		s.conns.next = newClientConn(now, s.socket, s.addresses.target(current.byUDP(), s.resumption.retries))
		s.resumption.retries++
	case needed:
		return earlier(earlier(due, goOn), s.resumption.retryAt)
	default:
		return earlier(due, goOn)
	}
	if ticket, key, ok := current.machine.ReturnTicket(); ok {
		s.conns.next.negotiating.Show(&handshake.Ticket{Ticket: ticket, Key: key})
	}
	if s.resumption.proves {
		s.resumption.prove(now, &s.renewal) // the token of the attempt before is used, if it has been shown
	}
	w.attempt = s.conns.next
	return earlier(due, now.Add(attemptTime))
}

// abandon gives the present attempt up; one at a server that this one has named is made again after a
// while.
func (s *clientState) abandon(now time.Time) {
	if s.conns.next.resuming.redirect {
		s.redirect.again(now)
	}
	if s.conns.next.carrier != nil {
		s.fallback.again(now)
	}
	s.conns.abandonNext()
}

// checkPath reports whether the path of the current connection is lost.
func (s *clientState) checkPath(now time.Time, w *work) (lost bool) {
	r := &s.resumption
	lost = r.pathLost(now, s.conns.current.machine)
	if lost && !r.lost {
		s.reports.notify(ClientEvent{Kind: EventLost})
	}
	if r.lost = lost; lost {
		w.lookUp = s.addresses.lookUpDue(now)
	} else {
		r.retries, s.fallback.vain = 0, 0
		r.failed, r.refusal = nil, nil // of a trouble that is over: another one has its own
	}
	return lost
}

// resumed makes the next connection the one on which the session lives.
func (s *clientState) resumed(now time.Time) {
	former := s.conns.promoteNext(now)
	s.resumption.succeed()
	s.fallback.vain, s.fallback.failed = 0, 0
	if s.conns.current.resuming.redirect {
		s.redirect.hop(now)
		former.resuming.left = true
	} else {
		s.redirect.closed = nil // the session has not ended by that
		s.conns.current.machine.SetRedirected(s.redirect.to != "")
	}
	s.stats.Resumed++
	if s.conns.current.resuming.proves {
		s.renewal.schedule(now, s.conns.current.machine.Expires())
		return
	}
	s.renewal.bringForward(now, s.conns.current.machine.Expires())
	if former.machine.Renewing() || former.machine.Outlives(s.conns.current.machine) > clockError {
		s.renewal.at = now // an answer may be lost, and its token used
	}
}

// refused handles the refusal of a ticket. The current connection may go on; if its path is lost the
// session is over, unless there is another ticket, the server has taken this one before, or the session
// has yet to go on where the server has sent the client.
func (s *clientState) refused(now time.Time, ev machine.Event) {
	r, current, on := &s.resumption, s.conns.current, s.conns.next.resuming
	s.conns.abandonNext()
	if on.redirect {
		if s.redirect.refused(now, ev, on, r.pathLost(now, current.machine)) {
			r.prove(now, &s.renewal)
		}
		return
	}
	over := s.redirect.closed == nil && (r.disconnected || current.machine.Lost(now) && !current.machine.Shown())
	switch {
	case ev.RetryAfter > 0:
		r.retryAt, r.refusal = now.Add(ev.RetryAfter), closeErrorOf(ev)
	case on.overtaken, ev.Reason == wire.ReasonShutdown, unread(ev.Reason): // which says nothing of the ticket
		r.retryAt = now.Add(attemptPause)
	case ev.Reason == wire.ReasonFingerprint, on.proves && concernsToken(ev.Reason):
		// in this network: the player may leave it in time, or show a fresh token
		r.refusal = &CloseError{Reason: ev.Reason}
		if r.retryAt = now.Add(refusedPause); r.identity != nil {
			r.retryAt = now
		}
		r.prove(now, &s.renewal)
	case over:
		s.conclude(closeErrorOf(ev))
	default:
		r.retryAt = now.Add(refusedPause)
	}
}

// resume negotiates keys for an attempt and presents the ticket.
func (c *Client) resume(ctx context.Context, next *clientConn) {
	config := c.config.handshake()
	keys, err := dtls.Engine.Client(ctx, next.negotiating, &config)
	switch {
	case err == nil:
		err = c.present(next, keys)
	case ctx.Err() != nil && !explained(err):
		err = ErrTimeout
	default:
		err = c.config.handshakeFailed(err)
	}
	next.negotiating.Wait()
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.conns.next == next {
		now := c.now()
		c.state.failed(now, err)
		c.tick(now)
	}
}

// present starts the record layer and the machine of an attempt; the machine's HELLO shows the
// ticket.
func (c *Client) present(next *clientConn, keys *handshake.Result) error {
	defer keys.Secrets.Wipe()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.conns.next != next {
		return errAbandoned
	}
	rc, err := record.New(&keys.Secrets, true, keys.Next, 0)
	if err != nil {
		return err
	}
	now := c.now()
	m, err := c.state.conns.current.machine.Resume(now, c.config.channel(keys), c.state.resumption.takeIdentity(next))
	if err != nil {
		return err
	}
	c.begin(now, next, rc, m)
	return nil
}

// failed gives the present attempt up, and has another one follow.
func (s *clientState) failed(now time.Time, err error) {
	if errors.Is(err, ErrHandshake) {
		s.resumption.failed = fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	s.abandon(now)
	s.resumption.retryAt = now.Add(attemptPause)
}
