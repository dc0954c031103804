package machine

import (
	"errors"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
)

// Handle judges the plaintext of one record: steps 3 to 8 of the receive list, and the update of
// the window. msg is borrowed: an EventData's Payload is part of it.
func (c *Client) Handle(now time.Time, msg []byte) (Reply, Event) {
	env, err := wire.Parse(msg)
	switch {
	case errors.Is(err, wire.ErrVersion) && !(c.state == verifying && env.Kind == wire.KindClose):
		return dropped(audit.DropVersion)
	case err != nil && !errors.Is(err, wire.ErrVersion):
		return dropped(audit.DropMalformed)
	}
	if c.state == verifying {
		return c.handleBeforeWelcome(now, &env)
	}
	if drop := c.judge(now, &env); drop != audit.DropNone {
		if c.state == closed {
			return c.afterEnd(drop, &env)
		}
		return dropped(drop)
	}
	return c.deliver(now, &env)
}

// handleBeforeWelcome accepts the two envelopes that need no tag, and no others.
func (c *Client) handleBeforeWelcome(now time.Time, env *wire.Envelope) (Reply, Event) {
	if env.Session != 0 {
		return dropped(audit.DropSession)
	}
	switch env.Kind {
	case wire.KindWelcome:
		return c.welcome(now, env.Body)
	case wire.KindClose:
		return c.handleClose(env.Body)
	}
	return dropped(audit.DropState)
}

func (c *Client) welcome(now time.Time, body []byte) (Reply, Event) {
	m, err := wire.ParseWelcome(body)
	if err != nil || m.Nonce != c.nonce || !c.adoptNumbers(&m) || !c.adoptLanes(&m) {
		return dropped(audit.DropMalformed)
	}
	defer clear(m.Secret[:])
	if err = c.begin(c.keyContext(m.Session), &m.Secret, m.Epoch); err != nil {
		return dropped(audit.DropMalformed)
	}
	c.storeTicket(m.Ticket, &m.Secret)
	c.current.token, c.renew = c.renew, nil
	c.state, c.hello, c.limits = live, nil, m.Limits
	c.watch.lastAccepted = now
	c.clockAt, c.clockSaid = c.asked, m.ServerTime
	c.expiry, c.expires = m.Expiry, c.localTime(m.Expiry)
	c.counts.current = c
	if l := c.lanes; l != nil {
		c.counts.clock.follow(l.Kept)
	}
	ev := Event{Kind: EventJoined, ConnectionID: m.ConnectionID}
	if c.former != nil {
		ev.Kind, c.former = EventResumed, nil
	}
	return Reply{}, ev
}

// judge is steps 4 to 8, and the update of the window.
func (c *Client) judge(now time.Time, env *wire.Envelope) audit.Drop {
	if env.Session != c.id {
		return audit.DropSession
	}
	if c.state != live {
		return audit.DropState
	}
	e, seq, drop := c.verify(now, env)
	if drop != audit.DropNone {
		return drop
	}
	c.window.Accept(seq)
	if c.lanes != nil {
		c.lanes.arrived = seq
	}
	c.counts.accepted++
	c.watch.accept(now)
	if e == c.next {
		c.promote(now)
	}
	return audit.DropNone
}

func (c *Client) deliver(now time.Time, env *wire.Envelope) (Reply, Event) {
	switch env.Kind {
	case wire.KindData:
		c.watch.lastPayload = now
		return Reply{}, Event{Kind: EventData, Payload: env.Body}
	case wire.KindPing:
		if _, err := wire.ParsePing(env.Body); err != nil {
			return dropped(audit.DropMalformed)
		}
		return c.pongOf(env.Body), Event{}
	case wire.KindPong:
		return c.pong(now, env.Body)
	case wire.KindRenewed:
		return c.renewed(now, env.Body)
	case wire.KindNotice:
		m, err := wire.ParseNoticeBody(env.Body)
		if err != nil {
			return dropped(audit.DropMalformed)
		}
		if m.Code == wire.NoticeMoved {
			return Reply{}, Event{Kind: EventMoved}
		}
		return Reply{}, Event{Kind: EventNotice, Notice: Notice{m.Code, m.Within}, Payload: m.Detail}
	case wire.KindClose:
		return c.handleClose(env.Body)
	case wire.KindFrames:
		return c.frames(now, env.Body)
	}
	return dropped(audit.DropState)
}

// renewed starts to send in the new epoch. The old epoch stays valid for receiving until the server
// has moved, and for the overlap after that.
func (c *Client) renewed(now time.Time, body []byte) (Reply, Event) {
	m, err := wire.ParseRenewed(body)
	if err != nil {
		return dropped(audit.DropMalformed)
	}
	if c.renew == nil || c.next != nil || m.Epoch != c.current.number+1 {
		return dropped(audit.DropState) // a copy of an answer that has been handled
	}
	defer clear(m.Secret[:])
	next, err := c.keyContext(c.id).newEpoch(&m.Secret, m.Epoch, true)
	if err != nil {
		return dropped(audit.DropMalformed)
	}
	c.storeTicket(m.Ticket, &m.Secret)
	next.token, c.renew = c.renew, nil
	c.next = next
	c.sending.Store(next)
	c.watch.lastPing = time.Time{} // the next Tick sends a PING: the expiry holds once a datagram of the new epoch arrives
	if m.ServerTime != 0 {         // the server's clock may have been set since WELCOME
		c.clockAt, c.clockSaid = c.asked, m.ServerTime
	}
	c.expiry, c.expires = m.Expiry, c.localTime(m.Expiry)
	return Reply{}, Event{Kind: EventRenewed}
}

// localTime converts Unix milliseconds of the server to the client's clock. An answer that is repeated has
// the time at which it was made, which was not before the client asked. The result has a monotonic reading:
// what the client's wall clock is set to meanwhile changes nothing.
func (c *Client) localTime(ms int64) time.Time {
	return c.clockAt.Add(time.UnixMilli(ms).Sub(time.UnixMilli(c.clockSaid)))
}

func (c *Client) handleClose(body []byte) (Reply, Event) {
	m, err := wire.ParseCloseBody(body)
	if err != nil {
		return dropped(audit.DropMalformed)
	}
	mayGoOn := m.Reason == wire.ReasonFingerprint || // from the network that it is bound to
		m.Reason == wire.ReasonShutdown && c.redirected // where the server has sent the client
	if !mayGoOn || !c.Resumable() {
		c.state = closed
		c.end()
	}
	return Reply{}, Event{
		Kind: EventClosed, Reason: m.Reason, RetryAfter: time.Duration(m.RetryAfter) * time.Millisecond, Payload: m.Detail,
	}
}
