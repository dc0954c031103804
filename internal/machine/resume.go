package machine

import (
	"crypto/subtle"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// resumption is a session that goes on here by its ticket, until the first datagram shows that its player has got the
// WELCOME.
type resumption struct {
	ticket *resume.Ticket
	kept   bool       // WELCOME had no other ticket, since a step up is owed: this one stays good
	former *Conn      // where the session lives until then; nil if nowhere on this server
	why    audit.Drop // it does not go on here
}

// present looks at the ticket of a HELLO, as far as it concerns this connection alone.
func (c *Conn) present(now time.Time, m *wire.Hello, body []byte) (Reply, Event) {
	t, err := resume.OpenTicket(c.gate.config.FleetKeys, c.gate.wall(now), m.Ticket)
	p := c.pending
	switch {
	case err != nil, t.Binding != m.Binding, !resume.Proven(&t.Key, m.Binding, &c.channel.Exporter, body),
		m.NextSend > maxSequence, m.NextReceive > maxSequence:
		clear(t.Key[:])
		return c.refuse(audit.DropTicket)
	}
	clear(t.Key[:])
	p.ticket, p.claims = &t, claimsOf(&t)
	p.claims.Platform, p.claims.Build = p.hello.fingerprint.Platform, p.hello.fingerprint.Build
	digest := digestOf(p.hello.fingerprint, &c.channel)
	switch {
	case subtle.ConstantTimeCompare(digest[:], t.Digest[:]) != 1:
		reply, ev := c.refuse(audit.DropFingerprint)
		if t.Certificate != c.channel.HasCertificate {
			ev.Part = policy.PartCertificate
		}
		return reply, ev
	case c.gate.config.Authorize == nil && p.hello.scope != "" && p.hello.scope != t.Scope:
		return c.refuse(audit.DropScope)
	}
	return Reply{}, Event{Kind: EventResume, Hint: c.Former()}
}

// Resume is the outcome of an [EventResume]: former is where the session lives, nil if it lives nowhere on this server,
// and its receiving half belongs to the same goroutine; sent is the former's Sequence.
//
// With a former the session lives there until the first datagram is accepted here, whose Event says EventTakeover.
// Without one it is an EventResumed, and the first datagram's Event says EventJoined. A former that waits for its own
// first datagram ends without a word, and the Event displaces it: of several that wait the newest counts.
func (c *Conn) Resume(now time.Time, former *Conn, sent uint64) (Reply, Event) {
	p := c.pending
	if c.state != verifying || p == nil || p.ticket == nil {
		return Reply{}, Event{}
	}
	t := p.ticket
	if former != nil && (!former.begun() || former.session.name != t.Name) {
		former = nil
	}
	var waiting *Conn
	if former != nil && former.state == welcomed {
		waiting, former = former, nil
	}
	if drop := c.gate.checkTicket(c.gate.wall(now), t, p.claims); drop != audit.DropNone {
		return c.refuse(drop)
	}
	s, drop := c.reopen(now, t, former)
	if drop != audit.DropNone {
		return c.refuse(drop)
	}
	ask := session.Admission{Why: session.ResumingElsewhere, Claims: p.claims, Scope: p.hello.scope, Session: s}
	if former != nil {
		ask.Why = session.Resuming
	}
	if drop, reason := c.authorized(&ask); drop != audit.DropNone {
		switch {
		case passing(drop):
		case former != nil:
			s.terminate(reason, finality(reason))
		case waiting != nil:
			waiting.session.terminate(reason, audit.DropNone) // its ticket may be shown where it is let in
		}
		return c.refuseFor(drop, reason)
	}
	c.confined = c.gate.confines(t.Name, t.Epoch) || former != nil && former.confined
	network := c.homeOf(t, former)
	action, part := c.strays(network, s)
	if action == policy.ActionRequire || c.confined && part == policy.PartNetwork {
		reply, ev := c.refuse(audit.DropFingerprint)
		ev.Part = part
		return reply, ev
	}
	var replaced *Session
	if former == nil {
		var before *Session
		if waiting != nil {
			before = waiting.session
		}
		if replaced, drop = c.gate.readmit(c.gate.wall(now), t, p.claims, s, before); drop != audit.DropNone {
			return c.refuse(drop)
		}
		if waiting != nil {
			waiting.vanish()
		}
	}
	displaces := waiting != nil
	c.session = s
	c.follow(p, former, sent)
	away := action == policy.ActionStepUp
	if !c.welcome(now, t.Epoch+1, !away, network) {
		if former == nil {
			c.gate.forget(s, audit.DropNone, false)
		}
		c.session = nil
		reply, ev := c.refuse(audit.DropUnavailable)
		ev.Displaces = displaces
		return reply, ev
	}
	c.resuming = &resumption{ticket: t, kept: away, former: former}
	c.ticketed = true                                     // without a new one it has the one that was shown
	c.bound, c.seen = c.digest(network), c.digest(c.path) // the first datagram is judged by what they differ in
	if c.Away() {
		c.setHome(network)
	}
	if former != nil {
		return c.answer.reply, Event{}
	}
	s.hint.Store(c.hint)
	return c.answer.reply, replaced.addTo(Event{Kind: EventResumed, Displaces: displaces})
}

// reopen is the session that goes on: the former one's, or one like it.
func (c *Conn) reopen(now time.Time, t *resume.Ticket, former *Conn) (*Session, audit.Drop) {
	if former != nil {
		drop := former.session.checkLife(c.gate.wall(now), 0)
		if drop == audit.DropExpired { // the ticket has not: once the former has ended it will do
			drop = audit.DropBusy
		}
		return former.session, drop
	}
	s := &c.own
	s.init(c.pending.claims, c.pending.hello.fingerprint)
	s.gate, s.id, s.name = c.gate, t.Session, t.Name
	s.bound, s.began = t.Bound, uint32(c.gate.wall(now).Unix())
	return s, audit.DropNone
}

// homeOf returns the network that a resumed session is bound to: the ticket's, or the one the player comes from now if a
// fresh token has bound the session to it and the RENEWED with the ticket that says so may have been lost.
func (c *Conn) homeOf(t *resume.Ticket, former *Conn) netip.Prefix {
	if former != nil && former.next != nil && former.boundNetwork() == c.path {
		return c.path
	}
	return t.Network
}

// strays judges the network that the player comes from now by the one that the session is bound to.
func (c *Conn) strays(network netip.Prefix, s *Session) (policy.Action, policy.Part) {
	bound, seen := c.fingerprintOf(s, network), c.fingerprintOf(s, c.path)
	return c.gate.config.Fingerprint.Judge(&bound, &seen)
}

// follow goes on with both directions' numbers: "for each direction the larger of stated and known holds".
func (c *Conn) follow(p *pending, former *Conn, sent uint64) {
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

// elsewhere reports whether the session lives on the former connection until the first datagram is accepted here.
func (c *Conn) elsewhere() bool { return c.resuming != nil && c.resuming.former != nil }

// Former is the hint of the connection on which the session of a ticket lives now, 0 for none.
func (c *Conn) Former() uint32 {
	if c.pending == nil || c.pending.ticket == nil {
		return 0
	}
	if s := c.gate.sessionOf(c.pending.ticket); s != nil {
		return s.hint.Load()
	}
	return 0
}

// Sequence is the last number sent. It belongs to the sending half.
func (c *Conn) Sequence() uint64 { return c.sequence }

// settle is called with the first accepted datagram: from here on the session lives here, and its ticket is used up.
func (c *Conn) settle(now time.Time) audit.Drop {
	r := c.resuming
	if r == nil {
		return audit.DropNone
	}
	if f := r.former; f != nil && f.state != live {
		r.why = f.why // it has ended meanwhile
	} else {
		r.why = c.gate.spendTicket(c.gate.wall(now), r.ticket, c.session, r.kept)
	}
	if r.why != audit.DropNone {
		return r.why
	}
	c.resuming = nil
	c.enter(live)
	c.session.hint.Store(c.hint)
	if r.former != nil {
		c.inherit(now, r.former)
	}
	if c.confined {
		c.confine(now) // the ticket of this WELCOME, too
	}
	return audit.DropNone
}

// lapse ends a connection to which its session has not come.
func (c *Conn) lapse(why audit.Drop) (Reply, Event) {
	if reason, ok := reasons[why]; ok {
		return c.close(why, reason)
	}
	return c.close(why, wire.ReasonTicket)
}

// inherit takes over from the former connection what is the session's, and ends it without a word.
func (c *Conn) inherit(now time.Time, f *Conn) {
	c.accepted += f.accepted
	c.behaviour, c.again, c.confined = f.behaviour, f.again, f.confined
	if f.next != nil && c.Away() && f.boundNetwork() == c.path { // a token has been accepted since WELCOME
		c.bind()
	}
	if f.next == nil { // else RENEWED may have been lost with the connection, and the player has to renew again
		c.renewable = f.renewable
	}
	if f.owes() {
		c.owe(now, f.doubt)
	}
	f.vanish()
}

// owe takes a step up over, which is owed wherever the player goes.
func (c *Conn) owe(now time.Time, d *doubt) {
	home := c.boundNetwork()
	c.doubt = d
	d.step.advance(now)
	d.step.ticked = now // else who moves before each Tick would gain time
	if s := c.owedForNetwork(); s != nil {
		switch away := c.Away(); {
		case away && !s.homeSince.IsZero():
			s.leaveHome(now)
		case !away && s.homeSince.IsZero():
			s.enterHome(now)
		}
	}
	d.home = netip.Prefix{}
	if c.Away() {
		d.home = home
	}
}

// vanish ends a connection whose session goes on elsewhere, without a word.
func (c *Conn) vanish() {
	c.enter(closed)
	c.why = audit.DropState
	c.end()
	c.partial.parts = nil
	c.pending, c.answer, c.doubt = nil, nil, nil
}

// Follow bumps the sending half's numbers after the former connection has sent its last: none is used twice. It belongs
// to the owner of both sending halves.
func (c *Conn) Follow(former *Conn) { c.sequence = max(c.sequence, former.sequence) }
