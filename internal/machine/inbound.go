package machine

import (
	"errors"
	"math"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
)

// Handle judges the plaintext of one record. Steps 1 and 2 of the receive list (size, record) have
// been done; this is steps 3 to 11, in that order. msg is borrowed: an EventData's Payload is part
// of it.
func (c *Conn) Handle(now time.Time, msg []byte) (Reply, Event) { return c.HandleLate(now, 0, msg) }

// HandleLate is Handle for a message that arrived earlier than now, by waited (0 or more), and
// could not be handled then. Behaviour is judged by the time of arrival, so that clients do not pay
// for a server that stalls.
func (c *Conn) HandleLate(now time.Time, waited time.Duration, msg []byte) (Reply, Event) {
	env, err := wire.Parse(msg)
	if err != nil {
		return c.handleUnparsed(&env, err)
	}
	if env.Kind == wire.KindHello {
		return c.hello(now, &env)
	}
	if c.state == welcomed {
		return c.handleFirst(now, waited, &env)
	}
	if drop := c.judge(now, waited, &env); drop != audit.DropNone {
		return c.handleDropped(now, drop, &env)
	}
	if env.Kind == wire.KindData { // not in deliver, because another call copies the event again
		return Reply{}, Event{Kind: EventData, Payload: env.Body}
	}
	return c.deliver(now, waited, &env)
}

// handleFirst is HandleLate in the state welcomed. The first accepted datagram moves the session to
// this connection, even if the datagram also ends it.
func (c *Conn) handleFirst(now time.Time, waited time.Duration, env *wire.Envelope) (reply Reply, ev Event) {
	enters := EventJoined
	if c.livesOnFormer() {
		enters = EventTakeover
	}
	drop := c.judge(now, waited, env)
	entered := c.state == live
	switch {
	case drop != audit.DropNone:
		reply, ev = c.handleDropped(now, drop, env)
	case env.Kind == wire.KindData:
		ev = Event{Kind: EventData, Payload: env.Body}
	default:
		reply, ev = c.deliver(now, waited, env)
	}
	if entered {
		ev.Enters = enters
	}
	return reply, ev
}

// judge is steps 4 to 10: nothing changes before the tag has been compared.
func (c *Conn) judge(now time.Time, waited time.Duration, env *wire.Envelope) audit.Drop {
	if c.session == nil || env.Session != c.id {
		return audit.DropSession
	}
	if c.state == closed {
		return c.why
	}
	if drop := c.session.checkLife(now, c.gate.config.Leeway); drop != audit.DropNone {
		if drop = c.session.checkEnd(now.Add(-waited)); drop != audit.DropNone {
			return drop // the session had ended when the datagram arrived
		}
	}
	e, seq, drop := c.verifyKind(now, env)
	if drop != audit.DropNone {
		return drop
	}
	if drop := c.accept(now, e, seq); drop != audit.DropNone {
		return drop
	}
	if c.seenDigest != c.boundDigest {
		if drop := c.checkFingerprint(now); drop != audit.DropNone {
			return drop
		}
	}
	if waited != 0 {
		now = now.Add(-waited)
	}
	return c.behaves(now, env)
}

// verifyKind is steps 6 to 8. For BEARER the check of the token replaces 6 and 8.
func (c *Conn) verifyKind(now time.Time, env *wire.Envelope) (*epoch, uint64, audit.Drop) {
	if env.Kind == wire.KindBearer {
		return c.verifyBearer(now, env)
	}
	return c.verify(now, env)
}

// accept is the first change of state: "from here on a copy never counts twice".
func (c *Conn) accept(now time.Time, e *epoch, seq uint64) (drop audit.Drop) {
	c.window.Accept(seq)
	if c.laned {
		c.lanes.arrived = seq
	}
	c.accepted++
	c.since = now
	c.badTags = 0
	if c.session.quiet.Load() != 0 { // once after each Tick
		c.session.quiet.Store(0)
	}
	if c.answer != nil && c.answer.reply.Kind == wire.KindWelcome {
		c.answer = nil // the client has confirmed it
		drop = c.completeResumption(now)
	}
	if e == c.next {
		claims, id := c.takeRenewal(now)
		drop = c.gate.adopt(c.gate.kept(now), c.session, claims, id).Drop()
		c.promote(now)
	}
	return drop
}

// handleDropped handles a datagram that judge has dropped: most have no effect.
func (c *Conn) handleDropped(now time.Time, drop audit.Drop, env *wire.Envelope) (Reply, Event) {
	if !c.Begun() {
		return c.afterEnd(drop, env)
	}
	if r := c.resuming; r != nil && r.why.drop != audit.DropNone {
		return c.failResumption(r.why)
	}
	switch drop {
	case audit.DropRevoked, audit.DropExpired:
		return c.expire(drop)
	case audit.DropTag:
		return c.countBadTag(drop, CauseTags)
	case audit.DropFingerprint:
		return c.lapseStepUp(now)
	case audit.DropRate:
		if c.excess {
			return c.revoke(drop, CauseRate)
		}
	case audit.DropToken:
		return c.unknownBearer(now, env)
	case audit.DropState:
		if env.Kind == wire.KindBearer { // without AllowBearer
			return c.note(CauseBearer)
		}
	}
	return dropped(drop)
}

// countBadTag counts a wrong tag: Config.BadTags in a row revoke the session.
func (c *Conn) countBadTag(drop audit.Drop, cause Cause) (Reply, Event) {
	if c.badTags++; int(c.badTags) < min(c.gate.config.BadTags, math.MaxInt16) {
		return dropped(drop)
	}
	return c.revoke(drop, cause)
}

// revoke revokes the session and closes this connection.
func (c *Conn) revoke(drop audit.Drop, cause Cause) (Reply, Event) {
	c.session.terminate(reasons[drop], audit.DropRevoked, cause)
	return c.expire(drop)
}

// deliver is step 11 for every kind but DATA.
func (c *Conn) deliver(now time.Time, waited time.Duration, env *wire.Envelope) (Reply, Event) {
	switch env.Kind {
	case wire.KindBearer:
		b, err := wire.ParseBearerBody(env.Body)
		if err != nil {
			return dropped(audit.DropMalformed)
		}
		c.bearer = true
		return Reply{}, Event{Kind: EventData, Payload: b.Payload}
	case wire.KindPing:
		if _, err := wire.ParsePing(env.Body); err != nil {
			return dropped(audit.DropMalformed)
		}
		return c.pongOf(waited, env.Body), Event{}
	case wire.KindRenew:
		return c.renew(now, env)
	case wire.KindClose:
		m, err := wire.ParseCloseBody(env.Body)
		switch {
		case err != nil:
			return dropped(audit.DropMalformed)
		case m.Reason == wire.ReasonReplaced && c.Resumable():
			return c.goneElsewhere()
		}
		_, ev := c.Close(wire.ReasonLeft)
		return Reply{}, ev
	case wire.KindPong:
		return c.pong(now, env.Body)
	case wire.KindFrames:
		return Reply{}, Event{Kind: EventFrames, Payload: env.Body}
	}
	return dropped(audit.DropState) // a kind that only servers send
}

// handleUnparsed drops what is no envelope, and tells a client of another version which version is
// served.
func (c *Conn) handleUnparsed(env *wire.Envelope, err error) (Reply, Event) {
	if !errors.Is(err, wire.ErrVersion) {
		return dropped(audit.DropMalformed)
	}
	if env.Kind != wire.KindHello || c.state != opening {
		return dropped(audit.DropVersion)
	}
	body := wire.CloseBody{Reason: wire.ReasonVersion, Detail: []byte{wire.Version}}
	_, ev := c.note(CauseVersion)
	return Reply{Kind: wire.KindClose, Body: body.AppendTo(nil)}, ev
}

// note returns what drops a message and, the first time on this connection, tells the operator.
func (c *Conn) note(cause Cause) (Reply, Event) {
	if c.noted {
		return dropped(cause.Drop())
	}
	c.noted = true
	return Reply{}, Event{Kind: EventNoted, Drop: cause.Drop(), Cause: cause}
}
