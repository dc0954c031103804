package machine

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/fingerprint"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// unresumed is a ticket that does not do.
type refusedResumption struct {
	name   string
	drop   audit.Drop
	reason wire.Reason
	part   fingerprint.Part
	gate   session.Config
	client session.ClientConfig
	ch     func(*Channel)    // what is wrong with the new connection
	before func(d *dialogue) // what has happened to the session
	after  func(r *dialogue) // what is wrong once the client has made its HELLO
	hello  func(*wire.Hello) // what is wrong with it, under the right proof
	spoil  func(b []byte)    // and under the proof of something else
	from   netip.Addr        // home unless it says otherwise
	over   bool              // the session is over for its owner
	stuck  bool              // it goes on where it lives, and nowhere else
	good   bool              // no refusal at all: the bound's other side
}

func ticketOf(change func(b []byte) []byte) func(*wire.Hello) {
	return func(m *wire.Hello) { m.Ticket = change(bytes.Clone(m.Ticket)) }
}

var unbound = session.Config{AllowUnbound: true}

// Faults of a ticket and its HELLO that any server refuses.
var unresumables = []refusedResumption{
	{name: "good", good: true},
	{name: "forged", hello: ticketOf(func(b []byte) []byte { return counting(0, len(b)) })},
	{name: "one byte", hello: ticketOf(func(b []byte) []byte { return b[:1] })},
	{name: "truncated by 1", hello: ticketOf(func(b []byte) []byte { return b[:len(b)-1] })},
	{name: "longer by 1", hello: ticketOf(func(b []byte) []byte { return append(b, 0) })},
	{name: "bit of the key id", hello: ticketOf(func(b []byte) []byte { b[3] ^= 1; return b })},
	{name: "bit of the nonce", hello: ticketOf(func(b []byte) []byte { b[4] ^= 1; return b })},
	{name: "bit of the content", hello: ticketOf(func(b []byte) []byte { b[16] ^= 1; return b })},
	{name: "last bit", hello: ticketOf(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })},
	{name: "key rotated once", good: true, after: func(r *dialogue) { r.rotatesFleetKey(2) }},
	{name: "key retired", stuck: true, after: func(r *dialogue) { r.rotatesFleetKey(2); r.rotatesFleetKey(3) }},
	{name: "keys gone", stuck: true, after: func(r *dialogue) { r.must(nil, r.gate.config.FleetKeys.Set()) }},
	{name: "expired, -1 ms", good: true, after: func(r *dialogue) { r.now = begin.Add(tokenLife - time.Millisecond) }},
	{name: "expired", over: true, after: func(r *dialogue) { r.now = begin.Add(tokenLife) }},
	{name: "expired, +1 ms", over: true, after: func(r *dialogue) { r.now = begin.Add(tokenLife + time.Millisecond) }},
	{name: "a clock that is set ahead, -1 ms", good: true, after: func(r *dialogue) {
		r.gate.StepClock(r.now, 10*tokenLife)
		r.now = begin.Add(tokenLife - time.Millisecond)
	}},
	{name: "a clock that is set ahead", over: true, after: func(r *dialogue) {
		r.gate.StepClock(r.now, 10*tokenLife)
		r.now = begin.Add(tokenLife)
	}},
	{name: "other binding mode", gate: unbound, hello: func(m *wire.Hello) { m.Binding = wire.BindingNone }},
	{name: "binding mode that is not served", drop: audit.DropBinding, reason: wire.ReasonBinding, hello: func(m *wire.Hello) { m.Binding = wire.BindingNone }},
	{name: "no binding", good: true, gate: unbound, client: session.ClientConfig{Unbound: true}},
	{name: "binding where there was none", gate: unbound, client: session.ClientConfig{Unbound: true}, hello: func(m *wire.Hello) { m.Binding = wire.BindingExporter }},
	{name: "proof", spoil: func(b []byte) { b[len(b)-1] ^= 1 }},
	{name: "proof of another nonce", spoil: func(b []byte) { b[0] ^= 1 }},
	{name: "proof of other numbers", spoil: func(b []byte) { b[24]++ }},
	{name: "proof of other features", spoil: func(b []byte) { b[33] ^= 1 }},
	{name: "proof over another exporter", after: func(r *dialogue) { r.server.channel.Exporter[31] ^= 1 }},
	{name: "proof over the old exporter", after: func(r *dialogue) {
		resume.Prove(&r.client.former.resumption, wire.BindingExporter, &channel.Exporter, r.client.hello)
	}},
	{name: "platform", drop: audit.DropFingerprint, reason: wire.ReasonFingerprint, hello: func(m *wire.Hello) { m.Platform = []byte("ios") }},
	{name: "no platform", drop: audit.DropFingerprint, reason: wire.ReasonFingerprint, hello: func(m *wire.Hello) { m.Platform = nil }},
	{name: "build", drop: audit.DropFingerprint, reason: wire.ReasonFingerprint, hello: func(m *wire.Hello) { m.Build = []byte("1.4.3") }},
	{
		name: "other certificate", drop: audit.DropFingerprint, reason: wire.ReasonFingerprint,
		ch: func(ch *Channel) { ch.Thumbprint[0] ^= 1 },
	},
	{
		name: "no certificate", drop: audit.DropFingerprint, reason: wire.ReasonFingerprint, part: fingerprint.PartCertificate,
		ch: func(ch *Channel) { ch.HasCertificate = false },
	},
	{name: "scope", drop: audit.DropScope, reason: wire.ReasonScope, hello: func(m *wire.Hello) { m.Scope = []byte("match-8") }},
	{name: "the token's own scope", good: true, hello: func(m *wire.Hello) { m.Scope = []byte("match-7") }},
	{
		name: "network required", drop: audit.DropFingerprint, reason: wire.ReasonFingerprint, part: fingerprint.PartNetwork,
		gate: session.Config{Fingerprint: policy.FingerprintConfig{Network: policy.ActionRequire}}, from: far,
	},
	{
		name: "network required, and the same", good: true,
		gate: session.Config{Fingerprint: policy.FingerprintConfig{Network: policy.ActionRequire}}, from: near,
	},
}

// Faults on the server where the session lives.
var unresumablesHere = []refusedResumption{
	{name: "session revoked", drop: audit.DropRevoked, reason: wire.ReasonRevoked, over: true, before: func(d *dialogue) {
		d.gate.RevokeSession(d.server.Session().ID())
	}},
	{name: "session revoked and told", drop: audit.DropRevoked, reason: wire.ReasonRevoked, over: true, before: func(d *dialogue) {
		d.gate.RevokeSession(d.server.Session().ID())
		d.tickServer().ends(audit.DropRevoked, wire.ReasonRevoked)
	}},
	{name: "subject's live sessions revoked", drop: audit.DropRevoked, reason: wire.ReasonRevoked, over: true, before: func(d *dialogue) {
		d.gate.RevokeSubject("issuer", "player")
	}},
	{name: "wrong tags", drop: audit.DropRevoked, reason: wire.ReasonRevoked, over: true, before: func(d *dialogue) {
		for b := d.clientSends(wire.KindData, "input"); d.server.Begun(); {
			d.toServer(mistag(b))
		}
	}},
	{name: "left", over: true, before: func(d *dialogue) { d.toServer(d.clientSends(wire.KindClose, closeBody)) }},
	{name: "kicked", over: true, before: func(d *dialogue) { d.server.Close(wire.ReasonKicked) }},
	{name: "used", before: func(d *dialogue) { *d = *d.resumesHere() }},
	{name: "not authorized, where it lives", drop: audit.DropMatch, reason: wire.ReasonScope, over: true, before: func(d *dialogue) {
		d.gate.config.Authorize = func(*session.Admission) error { return errors.New("banned") }
	}},
	{name: "not authorized for the moment, where it lives", drop: audit.DropBusy, reason: wire.ReasonBusy, stuck: true, before: func(d *dialogue) {
		d.gate.config.Authorize = func(*session.Admission) error { return session.Refusal(wire.ReasonBusy) }
	}},
	{name: "full, where it lives", good: true, before: func(d *dialogue) { d.gate.config.MaxSessions = 1 }},
}

// Faults on another server.
var unresumablesElsewhere = []refusedResumption{
	{name: "match not hosted", drop: audit.DropScope, reason: wire.ReasonScope, gate: session.Config{Scope: "match-8"}},
	{name: "match hosted", good: true, gate: session.Config{Scope: "match-7"}},
	{name: "not authorized", drop: audit.DropMatch, reason: wire.ReasonScope, gate: session.Config{
		Authorize: func(*session.Admission) error { return errors.New("banned") },
	}},
	{name: "authorized by what the ticket knows of the token", good: true, gate: session.Config{
		Authorize: func(a *session.Admission) error {
			c, scope := a.Claims, a.Scope
			if a.Why != session.ResumingElsewhere || c.Issuer != "issuer" || c.Subject != "player" || c.ID != "id of identity" || c.SignIn != "sign-in" || c.KeyID != "key" ||
				c.Scope != "match-7" || scope != "" || !c.IssuedAt.Equal(begin) || !c.Expires.Equal(begin.Add(tokenLife)) {
				return errors.New("another token")
			}
			return nil
		},
	}},
	{name: "full", drop: audit.DropFull, reason: wire.ReasonFull, gate: session.Config{MaxSessions: -1}},
	{name: "room for one", good: true, gate: session.Config{MaxSessions: 1}},
}

// "with reason 15 a ticket that does not open, has expired or is used up, whose session has ended
// (section 5.5), whose binding mode differs or whose proof is wrong" PROTOCOL.md 8.3
// "with reason 9 another digest, and another network if policy requires the same" PROTOCOL.md 8.3
// "with reason 8 another scope, or a match that it does not host" PROTOCOL.md 8.3
// "with reason 13 a session, token or player that has been revoked" PROTOCOL.md 8.3
func TestResumeRefused(t *testing.T) {
	for _, c := range append(unresumables, unresumablesHere...) {
		t.Run(c.name, func(t *testing.T) { c.test(t, true) })
	}
}

func TestResumeRefusedElsewhere(t *testing.T) {
	for _, c := range append(unresumables, unresumablesElsewhere...) {
		t.Run(c.name, func(t *testing.T) { c.test(t, false) })
	}
}

func (c *refusedResumption) test(t *testing.T, here bool) {
	if c.drop == audit.DropNone {
		c.drop, c.reason = audit.DropTicket, wire.ReasonTicket
	}
	ch := channel
	ch.HasCertificate, ch.Thumbprint = true, [32]byte(counting(0xb0, 32))
	c.client.Fingerprint, c.gate.Idle = phone, time.Hour
	first := c.gate
	if !here {
		first = session.Config{Idle: time.Hour, AllowUnbound: c.gate.AllowUnbound}
	}
	d := playWithTicketOn(t, first, c.client, ch)
	g := d.gate
	if !here {
		g = d.anotherServer(c.gate)
	}
	old := *d
	if c.before != nil {
		c.before(d)
	}
	r := c.connection(&old, g, ch)
	hello := r.clientTick(wire.KindHello)[0]
	h := r.toServer(hello)
	if h.Event.Kind == EventResume {
		h = r.findsFormer(h)
	}
	if c.good {
		r.takesWelcome(h)
		r.sendsFirstDatagram()
		r.exchangesData()
		return
	}
	if c.refused(r, hello, h); !here && g.Len() != 0 {
		t.Errorf("%d sessions", g.Len())
	}
	if c.over {
		return
	}
	d.exchangesData() // "For the session nothing has changed then"
	if !c.stuck {
		d.resumesHere().exchangesData()
	}
}

// connection is the one on which the ticket is shown.
func (c *refusedResumption) connection(d *dialogue, g *Gate, ch Channel) *dialogue {
	ch.Exporter = [32]byte(counting(byte(len(d.homes)), 32))
	if c.ch != nil {
		c.ch(&ch)
	}
	if !c.from.IsValid() {
		c.from = home
	}
	r := d.reconnectsOn(g, c.from, ch)
	if c.after != nil {
		c.after(r)
	}
	if c.hello != nil {
		r.statesInHello(c.hello)
	}
	if c.spoil != nil {
		c.spoil(r.client.hello)
	}
	return r
}

// refused looks at the answer, and at what holds after it.
func (c *refusedResumption) refused(r *dialogue, hello []byte, h heard) {
	r.Helper()
	h.refuses(c.drop, c.reason)
	var retry time.Duration
	if isTemporary(c.drop) {
		retry = retryAfter
	}
	if c.part != fingerprint.PartNone && h.Part != c.part || h.RetryAfter != retry {
		r.Errorf("part %v, retry after %v", h.Part, h.RetryAfter)
	}
	if again := r.toServer(hello).says(wire.KindClose); !bytes.Equal(again.envelope, h.envelope) {
		r.Error("a copy gets another CLOSE")
	}
	if reply, ev := r.server.Resume(r.now, nil, 0); reply.Kind != 0 || ev.Kind != EventNone || r.server.Session() != nil {
		r.Errorf("after the refusal: %v, %+v", reply.Kind, ev)
	}
	r.toClient(h.envelope).closes(c.reason)
	if r.client.Resumable() {
		r.Error("the client resumes what was refused")
	}
}

// rotatesFleetKey makes another key the sealing one.
func (d *dialogue) rotatesFleetKey(n byte) {
	d.Helper()
	d.must(nil, d.gate.config.FleetKeys.Rotate(fleetKey(d, n)))
}
