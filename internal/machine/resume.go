package machine

import (
	"crypto/subtle"
	"errors"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/fingerprint"
	"github.com/sallyport/sallyport/internal/identity"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// resumption is a session that is resumed here by its ticket, until the first datagram confirms
// WELCOME.
type resumption struct {
	ticket      *resume.Ticket
	identity    identity.Identity // of the ticket's identity token
	keepsTicket bool              // WELCOME had no new ticket, because a step up is owed: the presented one stays valid
	fresh       bool              // the client has shown a fresh identity token with the ticket: nothing is owed
	former      *Conn             // the former connection, on which the session lives until then; nil if on none of this server
	why         verdict           // why the session is not resumed here after all
}

// checkHelloTicket checks the ticket of a HELLO, as far as only this connection matters.
func (c *Conn) checkHelloTicket(now time.Time, m *wire.Hello, body []byte) (Reply, Event) {
	t, err := resume.OpenTicket(c.gate.config.FleetKeys, c.gate.kept(now), m.Ticket)
	if err == nil && now.UnixNano() >= c.gate.lapses(t.Expires*int64(time.Millisecond)) {
		err = resume.ErrTicketExpired
	}
	p := c.pending
	switch {
	case errors.Is(err, resume.ErrTicketKey):
		return c.refuse(CauseTicketKey)
	case errors.Is(err, resume.ErrTicketExpired):
		return c.refuse(CauseTicketExpired)
	case err != nil:
		return c.refuse(CauseTicket)
	}
	proven := resume.Proven(&t.Key, m.Binding, &c.channel.Exporter, body)
	clear(t.Key[:])
	switch {
	case t.Binding != m.Binding:
		return c.refuse(CauseTicketBinding)
	case !proven:
		return c.refuse(CauseTicketProof)
	case m.NextSend > maxSequence, m.NextReceive > maxSequence:
		return c.refuse(CauseTicketNumbers)
	}
	p.ticket, p.claims = &t, c.claimsOfTicket(&t)
	p.identity, _ = identity.Parse(t.Identity)
	digest := digestOf(p.hello.fingerprint, &c.channel)
	switch {
	case subtle.ConstantTimeCompare(digest[:], t.Digest[:]) != 1:
		part := fingerprint.PartNone
		if t.Certificate != c.channel.HasCertificate {
			part = fingerprint.PartCertificate
		}
		return c.refusePart(part)
	case c.gate.config.Authorize == nil && p.hello.scope != "" && p.hello.scope != t.Scope:
		return c.refuse(CauseScopeAsked)
	}
	if p.token != nil {
		return Reply{}, Event{Kind: EventVerify, Token: p.token, Ticket: true}
	}
	return Reply{}, Event{Kind: EventResume, ConnectionID: c.Former()}
}

// ticketVerified takes the claims of the fresh identity token that HELLO has shown with its ticket,
// if they could succeed those of the ticket.
func (c *Conn) ticketVerified(claims *token.Claims) (Reply, Event) {
	p := c.pending
	t := p.ticket
	p.token = nil
	switch {
	case claims.Issuer != t.Issuer || claims.Subject != t.Subject:
		return c.refuse(CausePlayer)
	case claims.Scope != t.Scope:
		return c.refuse(CauseScopeOwn)
	case claims.ID == t.TokenID:
		return c.refuse(CauseUsedOwn)
	case issuedBefore(claims, t.Issued):
		return c.refuse(CauseUsedOlder)
	}
	if cause := c.fits(claims, p.hello.fingerprint); cause != CauseNone {
		return c.refuse(cause)
	}
	fresh := *claims
	fresh.Platform, fresh.Build = p.hello.fingerprint.Platform, p.hello.fingerprint.Build
	p.fresh, p.claims, p.identity = true, &fresh, identityOf(claims)
	return Reply{}, Event{Kind: EventResume, ConnectionID: c.Former()}
}

// claimsOfTicket returns the claims of a ticket, with what the client states.
func (c *Conn) claimsOfTicket(t *resume.Ticket) *token.Claims {
	claims, f := claimsOf(t), c.pending.hello.fingerprint
	claims.Platform, claims.Build = f.Platform, f.Build
	return claims
}

// Resume takes the outcome of an [EventResume]. former is the connection on which the session
// lives, nil if on none of this server; its receiving half belongs to the same goroutine. sent is
// former's Sequence.
//
// With a former connection the session lives there until the first datagram is accepted here, whose
// Event says EventTakeover. Without one Resume returns EventResumed, and the first datagram's Event
// says EventJoined. A former connection that waits for its own first datagram ends silently, and
// the Event displaces it: the newest resumption counts.
func (c *Conn) Resume(now time.Time, former *Conn, sent uint64) (Reply, Event) {
	p := c.pending
	if c.state != verifying || p == nil || p.ticket == nil {
		return Reply{}, Event{}
	}
	t := p.ticket
	if former != nil && (!former.Begun() || former.session.name != t.Name) {
		former = nil
	}
	var waiting *Conn
	if former != nil && former.state == welcomed {
		waiting, former = former, nil
	}
	if cause := c.gate.checkTicket(c.gate.kept(now), t, c.claimsOfTicket(t)); cause != CauseNone {
		return c.refuse(cause)
	}
	s, cause := c.sessionFor(now, t, former)
	if cause != CauseNone {
		return c.refuse(cause)
	}
	c.confined = !p.fresh && (c.gate.confines(t.Name, t.Epoch) || former != nil && former.confined)
	network := c.networkOf(t, former)
	action, part := c.judgeNetwork(network, s)
	if action == policy.ActionRequire || c.confined && part == fingerprint.PartNetwork {
		return c.refusePart(part)
	}
	if p.fresh {
		if cause := c.mayTakeFresh(now, s); cause != CauseNone {
			return c.refuse(cause)
		}
		network, action = c.path, policy.ActionDefault // a fresh token is what a step up asks for
	}
	var displaced, replaced *Session
	if waiting != nil {
		displaced = waiting.session
	}
	if p.newest = p.fresh || former.renewsBy(t); !p.fresh {
		p.identity = c.resumedIdentity(former)
	}
	ask := session.Admission{Why: session.Resuming, Claims: p.claims, Identity: p.identity, Scope: p.hello.scope, Session: s}
	if former == nil {
		ask.Why = session.ResumingElsewhere
		if cause := c.gate.mayReadmit(c.gate.kept(now), t, p.claims, s, displaced); cause != CauseNone {
			return c.refuse(cause)
		}
	}
	if v := c.authorized(&ask); v.cause != CauseNone {
		switch {
		case isTemporary(v.drop):
		case former != nil:
			s.terminate(v.reason, ticketsDrop(v.reason), v.cause)
		case waiting != nil:
			displaced.terminate(v.reason, audit.DropNone, v.cause) // its ticket may be presented where it is accepted
		}
		return c.refuseFor(v)
	}
	if former != nil {
		if cause := c.gate.answerTicket(c.gate.kept(now), t, p.claims, s, p.fresh); cause != CauseNone {
			return c.refuse(cause)
		}
	} else {
		if replaced, cause = c.gate.readmit(c.gate.kept(now), t, p.claims, s, displaced, p.fresh); cause != CauseNone {
			return c.refuse(cause)
		}
		if waiting != nil {
			waiting.closeSilently()
		}
	}
	if p.fresh {
		standOn(t, p.claims, p.identity)
	}
	displaces := waiting != nil
	c.session = s
	c.takeNumbers(p, former, sent)
	p.keepLanes(former)
	away := action == policy.ActionStepUp
	number := t.Epoch + 1
	if p.fresh { // a lapse has confined epochs of which there may be no ticket yet
		number = max(number, c.gate.confinedTo(t.Name)+1)
	}
	if !c.welcome(now, number, !away, network) {
		if former == nil {
			c.gate.forget(s, audit.DropNone, false)
		}
		c.session = nil
		reply, ev := c.refuse(CauseSecret)
		ev.Displaces = displaces
		return reply, ev
	}
	c.resuming = &resumption{ticket: t, identity: p.identity, keepsTicket: away, fresh: p.fresh, former: former}
	c.ticketed = true                                                 // a new ticket, or the one presented
	c.boundDigest, c.seenDigest = c.digest(network), c.digest(c.path) // checked with the first datagram
	if c.Away() {
		c.setHome(network)
	}
	if former != nil {
		return c.answer.reply, Event{}
	}
	s.connectionID.Store(c.connectionID)
	return c.answer.reply, replaced.addTo(Event{Kind: EventResumed, Displaces: displaces})
}

// mayTakeFresh returns why the fresh token beside the ticket may not succeed the one that s stands
// on, or CauseNone.
func (c *Conn) mayTakeFresh(now time.Time, s *Session) Cause {
	p := c.pending
	if s != &c.own { // it may stand on a newer token than its ticket
		switch own := s.names.Load(); {
		case p.claims.ID == own.token:
			return CauseUsedOwn
		case issuedBefore(p.claims, own.issued):
			return CauseUsedOlder
		}
	}
	return c.gate.mayUseToken(c.gate.kept(now), p.claims, s)
}

// standOn makes t what a ticket is that was issued for a later identity token.
func standOn(t *resume.Ticket, claims *token.Claims, id identity.Identity) {
	n := namesOf(claims, id)
	t.TokenID, t.SignIn, t.KeyID, t.Issued = n.token, n.signIn, n.key, n.issued
	t.Identity = identity.Bytes(identity.Part(n.about(), resume.MaxIdentity))
	t.Expires = claims.Expires.UnixMilli()
}

// sessionFor returns the session of the former connection, or a new one made from the ticket.
func (c *Conn) sessionFor(now time.Time, t *resume.Ticket, former *Conn) (*Session, Cause) {
	if former != nil {
		if former.session.cause() == CauseElsewhere {
			return former.session, CauseBusyMoved // what is left here is about to go: the client tries again
		}
		switch former.session.checkEnd(now) {
		case audit.DropNone:
			return former.session, CauseNone
		case audit.DropExpired: // the ticket has not expired: it is accepted once the former connection has ended
			return former.session, CauseBusyFormer
		}
		return former.session, CauseRevoked
	}
	s := &c.own
	s.init(c.gate, c.pending.claims, c.pending.identity, c.pending.hello.fingerprint)
	s.id, s.name = t.Session, t.Name
	s.bound, s.began = t.Bound, uint32(now.Unix())
	return s, CauseNone
}

// resumedIdentity returns what is known of the player whose ticket was presented: on the server where
// the session lives all that its token says, and elsewhere what the ticket has of it.
func (c *Conn) resumedIdentity(former *Conn) identity.Identity {
	t, sealed := c.pending.ticket, c.pending.identity
	if former == nil {
		return sealed
	}
	if former.renewsBy(t) {
		return former.pending.identity
	}
	if time.UnixMilli(t.Expires).UnixNano() > former.session.expires() {
		return sealed
	}
	return former.session.Identity()
}

// renewsBy reports whether the ticket stands on the token that c, which may be nil, has accepted for
// its next epoch: RENEWED has reached the client, and nothing of that epoch the server.
func (c *Conn) renewsBy(t *resume.Ticket) bool {
	if c == nil || c.pending == nil {
		return false
	}
	p := c.pending
	return p.kind == wire.KindRenew && p.claims != nil && p.claims.ID == t.TokenID
}

// networkOf returns the network that a resumed session is bound to: the ticket's, or the current
// one if a fresh token has bound the session to that and the RENEWED with the newer ticket may have
// been lost.
func (c *Conn) networkOf(t *resume.Ticket, former *Conn) netip.Prefix {
	if former != nil && former.next != nil && former.boundNetwork() == c.path {
		return c.path
	}
	return t.Network
}

// judgeNetwork compares the current network with the one that the session is bound to.
func (c *Conn) judgeNetwork(network netip.Prefix, s *Session) (policy.Action, fingerprint.Part) {
	bound, seen := c.fingerprintOf(s, network), c.fingerprintOf(s, c.path)
	return fingerprint.Judge(&c.gate.config.Fingerprint, &bound, &seen)
}

// takeNumbers continues the numbers of both directions: "for each direction the larger of stated
// and known holds".
func (c *Conn) takeNumbers(p *pending, former *Conn, sent uint64) {
	next := max(p.hello.send, p.ticket.ClientNext)
	c.sequence = p.hello.receive - 1
	if former != nil {
		next = max(next, former.window.Highest()+1)
		c.sequence = max(c.sequence, sent)
	}
	c.window.Skip(next - 1)
	if former == nil {
		c.accepted = next - 1
	}
}
