package machine

import (
	"crypto/sha256"
	"errors"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// pending is a token that waits for its verification, and the message that presented it.
type pending struct {
	kind    wire.Kind // KindHello, KindRenew, KindBearer
	digest  [32]byte  // of the message's body
	token   []byte
	hello   hello          // KindHello
	ticket  *resume.Ticket // KindHello that resumes
	claims  *token.Claims  // verified; those of a RENEW wait for the new epoch's first datagram
	refused audit.Drop     // KindRenew: why this token was refused
}

// hello holds the fields of a HELLO that are needed after its verification.
type hello struct {
	nonce         [16]byte
	binding       byte
	features      uint32
	send, receive uint64 // next sequence numbers, of the client and, as far as the client knows, of the server
	scope         string
	fingerprint   session.Fingerprint
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
	p := &c.partial
	if p.parts == nil {
		p.parts = new(wire.Assembler)
	}
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
	p.parts = nil
	return body, sha256.Sum256(body), audit.DropNone
}

// readHello parses the first HELLO and asks for the verification of its token.
func (c *Conn) readHello(now time.Time, body []byte, digest [32]byte) (Reply, Event) {
	c.pending = &pending{kind: wire.KindHello, digest: digest}
	m, err := wire.ParseHello(body)
	if err != nil {
		return c.refuse(audit.DropMalformed)
	}
	c.pending.token = append([]byte(nil), m.Token...)
	c.pending.hello = hello{
		nonce: m.Nonce, binding: m.Binding, features: m.Features & features,
		send: m.NextSend, receive: m.NextReceive,
		scope:       string(m.Scope),
		fingerprint: session.Fingerprint{Platform: string(m.Platform), Build: string(m.Build)},
	}
	c.enter(verifying)
	c.since = now
	switch {
	case m.Binding != wire.BindingExporter && !(m.Binding == wire.BindingNone && c.gate.config.AllowUnbound):
		return c.refuse(audit.DropBinding)
	case len(m.Ticket) > 0:
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
	drop := dropOf(err)
	switch p.kind {
	case wire.KindRenew:
		return c.renewVerified(claims, drop, now)
	case wire.KindBearer:
		return c.bearerVerified(claims, drop, now)
	}
	if drop != audit.DropNone {
		return c.refuse(drop)
	}
	return c.join(now, claims)
}

// join opens the session if the claims agree with what the client stated and presented.
func (c *Conn) join(now time.Time, claims *token.Claims) (Reply, Event) {
	p, config := c.pending, &c.gate.config
	p.claims = claims
	action, part := c.compareClaims(claims, p.hello.fingerprint)
	if action == policy.ActionRequire {
		reply, ev := c.refuse(audit.DropFingerprint)
		ev.Part = part
		return reply, ev
	}
	if drop, reason := c.authorized(&session.Admission{Why: session.Opening, Claims: claims, Scope: p.hello.scope}); drop != audit.DropNone {
		return c.refuseFor(drop, reason)
	}
	s := &c.own
	s.init(claims, p.hello.fingerprint)
	s.connectionID.Store(c.connectionID)
	s.bound, s.began = claims.HasThumbprint, uint32(c.gate.wall(now).Unix())
	if drop := s.checkLife(c.gate.wall(now), config.Leeway); drop != audit.DropNone {
		return c.refuse(drop)
	}
	replaced, drop := c.gate.admit(c.gate.wall(now), claims, s)
	if drop != audit.DropNone {
		return c.refuse(drop)
	}
	c.session = s
	if !c.welcome(now, 1, action != policy.ActionStepUp, c.path) {
		c.gate.forget(s, audit.DropNone, false)
		c.session = nil
		return c.refuse(audit.DropUnavailable)
	}
	if config.AllowBearer {
		c.current.token = p.token
	}
	c.bind()
	c.startDoubt(now, action, part)
	return c.answer.reply, replaced.addTo(Event{Kind: EventJoined})
}

// welcome begins c.session on this connection, with the given epoch, and makes its WELCOME: with a
// ticket, if one may be issued, that is bound to network.
func (c *Conn) welcome(now time.Time, number uint32, ticketed bool, network netip.Prefix) bool {
	p, s, config := c.pending, c.session, &c.gate.config
	c.id, c.binding, c.reports = s.id, p.hello.binding, p.hello.features&wire.FeatureReports != 0
	names, expires := s.names.Load(), s.expires.Load()
	if p.ticket != nil && p.claims.Expires.UnixNano() > expires { // as completeResumption will set them
		names, expires = namesOf(p.claims), p.claims.Expires.UnixNano()
	}
	w := wire.Welcome{
		Nonce: p.hello.nonce, Session: s.id, Epoch: number, ServerNext: c.sequence + 1, ClientNext: c.window.Highest() + 1,
		Features: p.hello.features, ConnectionID: c.connectionID, Expiry: time.Unix(0, expires).UnixMilli(), ServerTime: c.gate.wall(now).UnixMilli(),
		Limits: wire.Limits{MaxPayload: wire.MaxBody, Rate: uint32(config.Behaviour.Datagrams), Idle: uint32(config.Idle.Milliseconds())},
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
	c.behaviour.Start(&config.Behaviour, now)
	c.answer = &answer{p.digest, Reply{Kind: wire.KindWelcome, Body: w.AppendTo(nil)}}
	return true
}

// refuse answers a HELLO, and every copy of it, with CLOSE.
func (c *Conn) refuse(drop audit.Drop) (Reply, Event) {
	reason := reasons[drop]
	if claims := c.pending.claims; drop == audit.DropRevoked && claims != nil {
		if r, banned := c.gate.banReason(claims.Issuer, claims.Subject); banned {
			reason = r
		}
	}
	return c.refuseFor(drop, reason)
}

// refuseFor is refuse with an explicit reason for the client.
func (c *Conn) refuseFor(drop audit.Drop, reason wire.Reason) (Reply, Event) {
	digest, claims := c.pending.digest, c.pending.claims
	reply, ev := c.close(drop, reason)
	if isTemporary(drop) {
		ev.RetryAfter = retryAfter
		reply = closeReply(ev.Reason, retryAfter)
	}
	c.answer = &answer{digest, reply}
	ev.Kind, ev.Claims = EventRefused, claims
	return reply, ev
}

// isTemporary reports whether the same identity token may be accepted a moment later.
func isTemporary(drop audit.Drop) bool {
	return drop == audit.DropBusy || drop == audit.DropUnavailable || drop == audit.DropFull
}

// dropOf maps an error of the verifier to a drop.
func dropOf(err error) audit.Drop {
	switch {
	case err == nil:
		return audit.DropNone
	case errors.Is(err, session.ErrBusy):
		return audit.DropBusy
	case errors.Is(err, token.ErrExpired):
		return audit.DropExpired
	case errors.Is(err, token.ErrUnavailable):
		return audit.DropUnavailable
	}
	return audit.DropToken
}
