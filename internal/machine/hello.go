package machine

import (
	"bytes"
	"crypto/sha256"
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

// pending is a token that waits for its verification, and the message that presented it.
type pending struct {
	kind       wire.Kind // KindHello, KindRenew, KindBearer
	digest     [32]byte  // of the message's body
	token      []byte
	hello      hello             // KindHello
	ticket     *resume.Ticket    // KindHello that resumes
	fresh      bool              // KindHello that resumes: claims are those of a fresh token beside the ticket
	claims     *token.Claims     // verified; those of a RENEW wait for the new epoch's first datagram
	identity   identity.Identity // of claims
	refused    Cause             // KindRenew: why this token was refused
	ticketed   bool              // KindHello with a ticket, whatever is in it
	newest     bool              // KindHello that resumes: the ticket's token is the session's newest, whenever it expires
	generation uint32            // KindHello that resumes: of the lanes that go on, 0 if none do
	detail     string            // more about the refusal, for the operator: nothing that a client chose
}

// hello holds the fields of a HELLO that are needed after its verification.
type hello struct {
	nonce         [16]byte
	binding       byte
	features      uint32
	send, receive uint64 // next sequence numbers, of the client and, as far as the client knows, of the server
	scope         string
	metadata      []byte
	fingerprint   session.Fingerprint
	lanes         wire.HelloLanes
}

// hello handles a part of a HELLO.
func (c *Conn) hello(now time.Time, env *wire.Envelope) (Reply, Event) {
	body, digest, drop := c.assemble(now, env)
	if body == nil {
		return dropped(drop)
	}
	switch {
	case c.state == opening:
		return c.readHello(now, body, digest)
	case c.answer != nil && c.answer.digest == digest:
		return c.answer.reply, Event{} // "same bytes on the same connection → same answer in a new record"
	case c.state == verifying && c.pending.digest == digest:
		return Reply{}, Event{} // a copy of the HELLO that is being verified
	}
	return dropped(audit.DropState) // "another HELLO → drop"
}

// assemble adds a part of a HELLO or RENEW. When the body is complete, assemble returns it with its
// digest and lets go of the parts; until then body is nil.
func (c *Conn) assemble(now time.Time, env *wire.Envelope) (body []byte, digest [32]byte, drop audit.Drop) {
	part, err := wire.ParsePart(env.Body)
	if err != nil {
		return nil, digest, audit.DropMalformed
	}
	if c.partial == nil {
		c.partial = new(partial)
	}
	p := c.partial
	if env.Kind != p.kind {
		p.parts.Reset()
		p.kind = env.Kind
	}
	body, ok, err := p.parts.Add(now, part)
	if err != nil {
		return nil, digest, audit.DropMalformed
	}
	if !ok {
		return nil, digest, audit.DropNone
	}
	c.partial = nil
	return body, sha256.Sum256(body), audit.DropNone
}

// readHello parses the first HELLO and asks for the verification of its token.
func (c *Conn) readHello(now time.Time, body []byte, digest [32]byte) (Reply, Event) {
	c.pending = &pending{kind: wire.KindHello, digest: digest}
	m, err := wire.ParseHello(body)
	if err != nil {
		c.pending.detail = wire.HelloFault(body)
		return c.refuse(CauseHello)
	}
	c.pending.token = append([]byte(nil), m.Token...)
	c.pending.ticketed = len(m.Ticket) > 0
	c.pending.hello = hello{
		nonce: m.Nonce, binding: m.Binding, features: m.Features & c.gate.features(),
		send: m.NextSend, receive: m.NextReceive,
		scope: string(m.Scope), metadata: bytes.Clone(m.Metadata),
		fingerprint: session.Fingerprint{Platform: string(m.Platform), Build: string(m.Build)}, lanes: m.Lanes,
	}
	c.enter(verifying)
	c.since = now
	switch {
	case m.Binding != wire.BindingExporter && !(m.Binding == wire.BindingNone && c.gate.config.AllowUnbound):
		return c.refuse(CauseBinding)
	case c.pending.ticketed:
		return c.checkHelloTicket(now, &m, body)
	}
	return Reply{}, Event{Kind: EventVerify, Token: c.pending.token}
}

// Verified takes the outcome of an [EventVerify]: the token's claims, or the error of
// token.Verifier.
func (c *Conn) Verified(now time.Time, claims *token.Claims, err error) (Reply, Event) {
	p := c.pending
	if c.state == closed || p == nil || p.token == nil {
		return Reply{}, Event{}
	}
	cause := causeOf(err)
	if p.detail = detailOf(err); err == nil && claims == nil {
		cause, p.detail = CauseOther, "the Verifier returned neither claims nor an error"
	}
	switch p.kind {
	case wire.KindRenew:
		return c.renewVerified(claims, because(cause), now)
	case wire.KindBearer:
		return c.bearerVerified(claims, because(cause), now)
	}
	switch {
	case cause != CauseNone:
		return c.refuse(cause)
	case p.ticket != nil:
		return c.ticketVerified(claims)
	}
	return c.join(now, claims)
}

// join opens the session if the claims agree with what the client stated and presented.
func (c *Conn) join(now time.Time, claims *token.Claims) (Reply, Event) {
	p, config := c.pending, &c.gate.config
	p.claims = claims
	action, part := c.compareClaims(claims, p.hello.fingerprint)
	if action == policy.ActionRequire {
		return c.refusePart(part)
	}
	s := &c.own
	p.identity = identityOf(claims)
	s.init(c.gate, claims, p.identity, p.hello.fingerprint)
	s.connectionID.Store(c.connectionID)
	s.bound, s.began = claims.HasThumbprint, uint32(now.Unix())
	if drop := s.checkLife(now, config.Leeway); drop != audit.DropNone {
		p.detail = "since it was verified"
		return c.refuse(CauseExpired)
	}
	if cause := c.gate.mayAdmit(c.gate.kept(now), claims, s); cause != CauseNone {
		return c.refuse(cause)
	}
	if v := c.authorized(&session.Admission{Why: session.Opening, Claims: claims, Identity: p.identity, Scope: p.hello.scope, Metadata: p.hello.metadata}); v.cause != CauseNone {
		return c.refuseFor(v)
	}
	replaced, cause := c.gate.admit(c.gate.kept(now), claims, s) // which looks at all of it again
	if cause != CauseNone {
		return c.refuse(cause)
	}
	c.session = s
	if !c.welcome(now, 1, action != policy.ActionStepUp, c.path) {
		c.gate.forget(s, audit.DropNone, false)
		c.session = nil
		return c.refuse(CauseSecret)
	}
	if config.AllowBearer {
		c.current.token = p.token
	}
	c.bind()
	c.startDoubt(now, action, part)
	return c.answer.reply, replaced.addTo(Event{Kind: EventJoined, Payload: p.hello.metadata})
}

// welcome begins c.session on this connection, with the given epoch, and makes its WELCOME: with a
// ticket, if one may be issued, that is bound to network.
func (c *Conn) welcome(now time.Time, number uint32, ticketed bool, network netip.Prefix) bool {
	p, s, config := c.pending, c.session, &c.gate.config
	c.id, c.binding, c.reports = s.id, p.hello.binding, p.hello.features&wire.FeatureReports != 0
	names, expires := s.names.Load(), s.expires()
	if p.ticket != nil && (p.newest || p.claims.Expires.UnixNano() > expires) { // as completeResumption will set them
		names, expires = namesOf(p.claims, p.identity), p.claims.Expires.UnixNano()
	}
	w := wire.Welcome{
		Nonce: p.hello.nonce, Session: s.id, Epoch: number, ServerNext: c.sequence + 1, ClientNext: c.window.Highest() + 1,
		Features: p.hello.features, ConnectionID: c.connectionID, Expiry: time.Unix(0, expires).UnixMilli(), ServerTime: c.gate.wall(now).UnixMilli(),
		Limits: wire.Limits{MaxPayload: wire.MaxBody, Rate: uint32(config.Behaviour.Datagrams), Idle: uint32(config.Idle.Milliseconds())},
		Lanes:  c.agreeLanes(),
	}
	c.gate.random(w.Secret[:])
	defer clear(w.Secret[:])
	if err := c.begin(c.keyContext(), &w.Secret, number); err != nil {
		return false
	}
	if ticketed {
		w.Ticket = c.ticket(&w.Secret, number, names, expires, network)
	}
	if p.ticket == nil {
		c.enter(live)
	} else {
		c.enter(welcomed)
	}
	c.since, c.pending = now, nil
	c.behaviour.Start(c.gate.limits, now)
	c.answer = &answer{p.digest, Reply{Kind: wire.KindWelcome, Body: w.AppendTo(nil)}}
	return true
}

// refuse answers a HELLO, and every copy of it, with CLOSE.
func (c *Conn) refuse(cause Cause) (Reply, Event) {
	v := because(cause)
	if claims := c.pending.claims; v.drop == audit.DropRevoked && claims != nil {
		if r, banned := c.gate.banReason(claims.Issuer, claims.Subject); banned {
			v.reason = r
		}
	}
	return c.refuseFor(v)
}

// refuseFor is refuse for a verdict.
func (c *Conn) refuseFor(v verdict) (Reply, Event) {
	p := c.pending
	reply, ev := c.close(v.drop, v.reason)
	if isTemporary(v.drop) {
		ev.RetryAfter = retryAfter
		reply = closeWith(ev.Reason, retryAfter, playerDetails[v.cause])
	}
	c.answer = &answer{p.digest, reply}
	ev.Kind, ev.Claims, ev.Cause, ev.Payload, ev.Ticket = EventRefused, p.claims, v.cause, []byte(p.detail), p.ticketed
	return reply, ev
}

// refusePart is refuse for a part of the fingerprint.
func (c *Conn) refusePart(part fingerprint.Part) (Reply, Event) {
	reply, ev := c.refuse(causeOfPart(part))
	ev.Part = part
	return reply, ev
}

// playerDetails are the details of a CLOSE that tell a player more than the reason does, and of the
// server no more than the player knows: fixed texts.
var playerDetails = map[Cause]string{CauseFullPlayer: "too many sessions of this player"}

// isTemporary reports whether the same identity token may be accepted a moment later.
func isTemporary(drop audit.Drop) bool {
	return drop == audit.DropBusy || drop == audit.DropUnavailable || drop == audit.DropFull
}
