package transport

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Handler is what a match server does with its players. Each function may be
// nil, and must not block.
//
// Poll calls them from its caller's goroutine, one at a time. Serve calls them
// from one goroutine for each shard: for one player one at a time, for players
// of different shards at the same time.
type Handler struct {
	// Join is called when a player's session has begun.
	Join func(p *Player)
	// Receive is called for each accepted datagram. payload is borrowed: it is
	// valid until Receive returns.
	Receive func(p *Player, payload []byte)
	// Leave is called once for each Join, when the session is over.
	Leave func(p *Player, reason session.Reason)
}

// withDefaults makes every function callable.
func (h Handler) withDefaults() Handler {
	if h.Join == nil {
		h.Join = func(*Player) {}
	}
	if h.Receive == nil {
		h.Receive = func(*Player, []byte) {}
	}
	if h.Leave == nil {
		h.Leave = func(*Player, wire.Reason) {}
	}
	return h
}

// verify has an identity token looked at by one of the workers.
func (a *association) verify(now time.Time, raw []byte) {
	v := verified{association: a}
	server := a.self.shard.server
	j := job{raw: slices.Clone(raw), now: server.clock.at(now), from: a.Addr.Addr(), done: func(claims *token.Claims, err error) {
		v.claims, v.err = claims, err
		a.self.shard.Post(v)
	}}
	if !server.verifications.submit(j) {
		verified{a, nil, session.ErrBusy}.Deliver(now)
	}
}

// verified is the outcome.
type verified struct {
	association *association
	claims      *token.Claims
	err         error
}

func (m verified) Deliver(now time.Time) {
	reply, ev := m.association.match.Verified(now, m.claims, m.err)
	m.association.Shard.Drop(ev.Drop)
	m.association.act(now, reply, ev)
}

// join begins a player's stay.
func (a *association) join(now time.Time, ev machine.Event) {
	if old := a.before(); old != nil { // somebody else's, or the same player's who begins anew
		a.Former = nil
		if old.Listed() && old.Addr == a.Addr { // else it has moved away meanwhile
			old.replace(now)
		}
	}
	s := a.self.shard
	a.player = &a.self
	a.player.association, a.player.session = a, a.match.Session()
	s.server.sessions.add()
	decision := audit.Accept
	if ev.Kind == machine.EventResumed {
		decision = audit.Resume
	}
	a.audit(now, decision, ev)
	a.NoteAddress(now)
	s.players.add(a.player)
	s.handler.Join(a.player)
}

// leave ends a player's stay, if it had begun, and the association some time
// later.
func (a *association) leave(now time.Time, ev machine.Event) {
	a.linger(now)
	if a.player == nil || ev.Kind != machine.EventClosed || !a.player.gone.CompareAndSwap(false, true) {
		return
	}
	decision := audit.Close
	switch {
	case ev.Reason == wire.ReasonReplaced:
		decision = audit.Replace
	case ev.Drop == audit.DropRevoked, ev.Reason == wire.ReasonRevoked, ev.Reason == wire.ReasonRate:
		decision = audit.Revoke
	}
	a.audit(now, decision, ev)
	a.NoteAddress(now)
	a.player.farewell(ev.Reason)
}

// farewell is the end of a player's stay, once it is on record.
func (p *Player) farewell(reason wire.Reason) {
	p.shard.server.sessions.live.Add(-1)
	p.shard.players.remove(p)
	p.shard.handler.Leave(p, reason)
}

// linger leaves an association to answer what still comes. To whom CLOSE has not been
// said, or who has said it, it sends close_notify.
func (a *association) linger(now time.Time) {
	if a.ending == nil {
		a.ending = &ending{association: a, began: now, done: true}
		a.Shard.Out.Alert(&a.Conn, record.CloseNotify[:])
	}
}

// replace ends an association that a newer one of its owner takes the place of.
func (a *association) replace(now time.Time) {
	_, ev := a.match.Close(wire.ReasonReplaced)
	a.leave(now, ev)
	a.Remove()
}

// kicked is Player.Kick, as the shard gets it.
type kicked struct {
	player *Player
	reason wire.Reason
	detail string
}

func (m kicked) Deliver(now time.Time) {
	a := m.player.association
	reply, ev := a.match.Dismiss(m.reason, m.detail)
	a.act(now, reply, ev)
}

// supersede ends the session of the same player that gives way to a's, on whatever shard it lives.
func (a *association) supersede(ev machine.Event) {
	if home := a.self.shard.server.home(ev.Hint); home != nil {
		home.Post(superseded{home, ev.Replaced, ev.Hint, prefixOf(a.Addr)})
	}
}

// superseded is a session that gives way, where it lives. One that has ended meanwhile, or whose
// player has moved on, has been dealt with.
type superseded struct {
	shard   *shard
	session *machine.Session
	hint    uint32
	by      netip.Prefix // from where its successor has come
}

func (m superseded) Deliver(now time.Time) {
	a := associationOf(m.shard.Table.Find(m.hint))
	if a == nil || a.match.Session() != m.session {
		return
	}
	m.shard.successor = m.by
	a.end(now, wire.ReasonReplaced)
	m.shard.successor = netip.Prefix{}
}

// end ends a session with CLOSE.
func (a *association) end(now time.Time, reason wire.Reason) {
	reply, ev := a.match.Close(reason)
	a.act(now, reply, ev)
}

// version is what an audit record says about who made it.
var version = fmt.Sprint("sallyport protocol ", wire.Version)

// audit records a trust decision about an association's player.
func (a *association) audit(now time.Time, d audit.Decision, ev machine.Event) {
	s := a.self.shard
	e := a.decision(now, d)
	e.Reason = ev.Drop
	if d == audit.Replace {
		e.Previous = s.successor
	}
	if ev.Part != policy.PartNone {
		e.Part = ev.Part.String()
	}
	if c := ev.Claims; c != nil { // of the token that the decision is about
		e.Issuer, e.Subject, e.TokenID, e.Scope, e.Platform, e.Build = c.Issuer, c.Subject, c.ID, c.Scope, c.Platform, c.Build
	}
	s.server.config.Audit.Record(e)
}

// decision is what every record about an association's player says.
func (a *association) decision(now time.Time, d audit.Decision) audit.Event {
	e := audit.Event{Time: a.self.shard.server.clock.at(now), Decision: d, Prefix: prefixOf(a.Addr), Version: version}
	if sess := a.match.Session(); sess != nil {
		f := sess.Fingerprint()
		e.Issuer, e.Subject, e.TokenID = sess.Issuer(), sess.Subject(), sess.TokenID()
		e.Session, e.Scope, e.Platform, e.Build = sess.ID(), sess.Scope(), f.Platform, f.Build
	}
	return e
}
