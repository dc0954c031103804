package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/identity"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// renew handles a part of a RENEW, itself a datagram of the session.
func (c *Conn) renew(now time.Time, env *wire.Envelope) (Reply, Event) {
	body, digest, drop := c.assemble(now, env)
	if body == nil {
		return dropped(drop)
	}
	switch {
	case c.answer != nil && c.answer.digest == digest:
		return c.answer.reply, Event{} // "same token → same RENEWED, the epoch moves once"
	case c.pending != nil && c.pending.digest == digest && c.pending.refused != CauseEarly:
		return Reply{}, Event{} // being verified, or refused for good
	case c.next != nil:
		c.renewedLost = !c.bearer       // a bearer client would send the other token after RENEWED
		return dropped(audit.DropState) // "until then no further epoch is made"
	case c.pending != nil && c.pending.token != nil:
		return dropped(audit.DropState)
	case c.tooSoon(now), c.renewedLately(now):
		return dropped(audit.DropRate)
	}
	m, err := wire.ParseRenew(body)
	if err != nil {
		return dropped(audit.DropMalformed)
	}
	c.pending = &pending{kind: wire.KindRenew, digest: digest, token: append([]byte(nil), m.Token...)}
	c.session.outlive(now)
	if c.owes() && c.plausible(now, m.Token) {
		c.doubt.step.wait(now, true)
	}
	return Reply{}, Event{Kind: EventVerify, Token: c.pending.token}
}

// renewVerified derives the next epoch. A refused token ends nothing: the session lives as long as
// the token it has, and its end then names the refusal.
func (c *Conn) renewVerified(claims *token.Claims, v verdict, now time.Time) (Reply, Event) {
	p := c.pending
	if v.cause == CauseNone {
		v = c.succeeds(now, claims)
	}
	bearer := p.token
	p.token = nil
	if c.session.Revoked() {
		return c.expire(audit.DropRevoked)
	}
	if c.owes() && !isTemporary(v.drop) {
		c.doubt.step.wait(now, false)
	}
	if v.cause != CauseNone {
		c.retryAt = now.Add(retryAfter).UnixNano()
		if p.refused = v.cause; isTemporary(v.drop) {
			c.pending = nil // the client repeats it, and it is verified again
		} else {
			c.session.outlives = 0
		}
		return Reply{}, Event{Kind: EventRefused, Drop: v.drop, Cause: v.cause, Payload: []byte(p.detail), Claims: claims}
	}
	m := wire.Renewed{Epoch: c.current.number + 1, Expiry: claims.Expires.UnixMilli(), ServerTime: c.gate.wall(now).UnixMilli()}
	c.gate.random(m.Secret[:])
	next, err := c.keyContext().newEpoch(&m.Secret, m.Epoch, false)
	if err != nil {
		return Reply{}, Event{Kind: EventRefused, Drop: CauseSecret.Drop(), Cause: CauseSecret}
	}
	if c.gate.config.AllowBearer {
		next.token = bearer
	}
	c.next, p.claims, p.identity, c.renewedLost = next, claims, identityOf(claims), false
	c.session.outlive(now)
	c.bind() // a fresh token is what a step up asks for
	c.confined = false
	m.Ticket = c.ticket(&m.Secret, m.Epoch, namesOf(claims, p.identity), claims.Expires.UnixNano(), c.path)
	c.answer = &answer{p.digest, Reply{Kind: wire.KindRenewed, Body: m.AppendTo(nil)}}
	clear(m.Secret[:])
	return c.answer.reply, Event{Kind: EventRenewed, Claims: claims}
}

// succeeds returns why claims may not replace the session's own, or zero: "not used before, of the
// same issuer, subject and scope".
func (c *Conn) succeeds(now time.Time, claims *token.Claims) verdict {
	if cause := c.follows(claims); cause != CauseNone {
		return because(cause)
	}
	if cause := c.gate.mayUseToken(c.gate.kept(now), claims, c.session); cause != CauseNone {
		return because(cause)
	}
	if v := c.reauthorized(claims); v.cause != CauseNone {
		return v
	}
	return because(c.gate.useToken(c.gate.kept(now), claims, c.session)) // which looks at it again
}

// follows returns why a token with these claims could not succeed the session's own, whether or not
// it has been used, or CauseNone. A step up does not take a token that is no newer than the
// session's: it may have been used on another server of the fleet.
func (c *Conn) follows(claims *token.Claims) Cause {
	s := c.session
	own := s.names.Load()
	switch {
	case claims.Issuer != s.issuer || claims.Subject != s.subject:
		return CausePlayer
	case claims.Scope != s.scope:
		return CauseScopeOwn
	case claims.ID == own.token:
		return CauseUsedOwn
	case c.owes() && issuedBefore(claims, own.issued):
		return CauseUsedOlder
	}
	return c.fits(claims, s.fingerprint)
}

// issuedBefore reports whether a token was issued before a time in Unix ms. It was not if either is
// unknown.
func issuedBefore(claims *token.Claims, issued int64) bool {
	return issued != 0 && !claims.IssuedAt.IsZero() && claims.IssuedAt.UnixMilli() < issued
}

// fits returns why a token with these claims cannot be shown by this client, or CauseNone.
func (c *Conn) fits(claims *token.Claims, f session.Fingerprint) Cause {
	if action, part := c.compareClaims(claims, f); action == policy.ActionRequire || action == policy.ActionStepUp {
		return causeOfPart(part)
	}
	return CauseNone
}

// renewedLately reports whether it is too soon for another token, because each takes memory. The
// token of a step up never waits.
func (c *Conn) renewedLately(now time.Time) bool { return now.Unix() < int64(c.renewAt) && !c.owes() }

// pace delays the next token for a part of the life that the one with these claims has left.
func (c *Conn) pace(now time.Time, claims *token.Claims) {
	c.renewAt = ceilUnix(now.Add(claims.Expires.Sub(c.gate.wall(now)) / renewalsOfLife))
}

// takeRenewal returns the claims of the token of the next epoch, which begins now.
func (c *Conn) takeRenewal(now time.Time) (*token.Claims, identity.Identity) {
	claims, id := c.pending.claims, c.pending.identity
	c.pending = nil
	c.pace(now, claims)
	return claims, id
}
