package machine

import (
	"crypto/subtle"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/token"
)

// verifyBearer checks a datagram that carries the identity token itself. The tokens of the current,
// next and previous epoch have been verified when they were presented; an envelope belongs to the
// epoch of its token.
func (c *Conn) verifyBearer(now time.Time, env *wire.Envelope) (*epoch, uint64, audit.Drop) {
	if !c.gate.config.AllowBearer {
		return nil, 0, audit.DropState
	}
	m, err := wire.ParseBearerBody(env.Body)
	if err != nil {
		return nil, 0, audit.DropMalformed
	}
	seq, ok := c.checkWindow(env)
	if !ok {
		return nil, 0, audit.DropReplay
	}
	switch {
	case sameToken(c.current, m.Token):
		return c.current, seq, audit.DropNone
	case sameToken(c.next, m.Token):
		return c.next, seq, audit.DropNone
	case now.UnixNano() < c.previousUntil && sameToken(c.previous, m.Token):
		return c.previous, seq, audit.DropNone
	}
	return nil, 0, audit.DropToken
}

func sameToken(e *epoch, t []byte) bool {
	return e != nil && len(e.token) > 0 && subtle.ConstantTimeCompare(e.token, t) == 1
}

// unknownBearer asks for the verification of a token that was not presented before. Datagrams that
// carry it are dropped until then.
func (c *Conn) unknownBearer(now time.Time, env *wire.Envelope) (Reply, Event) {
	m, err := wire.ParseBearerBody(env.Body)
	waiting := c.pending != nil && c.pending.token != nil
	if err != nil || waiting || c.next != nil || c.tooSoon(now) {
		return dropped(audit.DropToken)
	}
	c.pending = &pending{kind: wire.KindBearer, token: append([]byte(nil), m.Token...)}
	c.session.outlive(now)
	return Reply{}, Event{Kind: EventVerify, Drop: audit.DropToken, Token: c.pending.token}
}

// bearerVerified replaces the token of the current epoch by a newer one. A refused token counts
// like a wrong tag.
func (c *Conn) bearerVerified(claims *token.Claims, v verdict, now time.Time) (Reply, Event) {
	p := c.pending
	switch {
	case v.cause != CauseNone:
	case c.renewedLately(now):
		v.drop = audit.DropRate
	default:
		v = c.succeeds(now, claims)
	}
	if v.drop == audit.DropNone {
		v = because(c.gate.adopt(c.gate.kept(now), c.session, claims, identityOf(claims)))
	}
	c.retryAt = now.Add(retryAfter).UnixNano()
	if c.session.Revoked() {
		return c.expire(audit.DropRevoked)
	}
	later := isTemporary(v.drop) || v.drop == audit.DropRate
	if c.pending = nil; !later {
		c.session.outlives = 0
	}
	switch {
	case v.drop == audit.DropNone:
		c.current.token = p.token
		c.pace(now, claims)
		c.bind()
		return Reply{}, Event{Kind: EventRenewed}
	case later:
		return dropped(v.drop)
	}
	reply, ev := c.countBadTag(v.drop, v.cause)
	if ev.Kind == EventNone {
		ev.Kind, ev.Claims, ev.Cause = EventRefused, claims, v.cause
	}
	ev.Payload = []byte(p.detail)
	return reply, ev
}
