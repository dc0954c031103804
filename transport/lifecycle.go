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
func (s *shard) verify(now time.Time, a *association, raw []byte) {
	j := job{raw: slices.Clone(raw), now: s.server.clock.at(now), from: a.addr.Addr(), done: func(claims *token.Claims, err error) {
		s.post(func(now time.Time) { s.verified(now, a, claims, err) })
	}}
	if !s.server.verifications.submit(j) {
		s.verified(now, a, nil, session.ErrBusy)
	}
}

func (s *shard) verified(now time.Time, a *association, claims *token.Claims, err error) {
	reply, ev := a.session.Verified(now, claims, err)
	s.drop(ev.Drop)
	s.outcome(now, a, reply, ev)
}

func (s *shard) joined(now time.Time, a *association, ev machine.Event) {
	if old := a.before; old != nil { // somebody else's, or the same player's who begins anew
		a.before = nil
		if old.place >= 0 && old.addr == a.addr { // else it has moved away meanwhile
			s.replace(now, old)
		}
	}
	a.player = &a.self
	a.player.shard, a.player.association, a.player.session = s, a, a.session.Session()
	s.server.sessions.add()
	decision := audit.Accept
	if ev.Kind == machine.EventResumed {
		decision = audit.Resume
	}
	s.record(now, a, decision, ev)
	s.noteAddress(now, a)
	s.players.add(a.player)
	s.handler.Join(a.player)
}

// left ends a player's stay, if it had begun, and the association some time
// later.
func (s *shard) left(now time.Time, a *association, ev machine.Event) {
	s.linger(now, a)
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
	s.record(now, a, decision, ev)
	s.noteAddress(now, a)
	s.farewell(a.player, ev.Reason)
}

// farewell is the end of a player's stay, once it is on record.
func (s *shard) farewell(p *Player, reason wire.Reason) {
	s.server.sessions.live.Add(-1)
	s.players.remove(p)
	s.handler.Leave(p, reason)
}

// linger leaves an association to answer what still comes. To whom CLOSE has not been
// said, or who has said it, it says goodbye in DTLS's own words.
func (s *shard) linger(now time.Time, a *association) {
	if a.ending == nil {
		a.ending = &ending{association: a, began: now, done: true}
		s.out.alert(a, record.CloseNotify[:])
	}
}

// replace ends the association that a newer one of its owner takes the place of.
func (s *shard) replace(now time.Time, old *association) {
	_, ev := old.session.Close(wire.ReasonReplaced)
	s.left(now, old, ev)
	s.remove(old)
}

// kick is Player.Kick.
func (s *shard) kick(now time.Time, a *association, reason wire.Reason, detail string) {
	reply, ev := a.match.Dismiss(reason, detail)
	s.outcome(now, a, reply, ev)
}

// supersede ends the session of the same player that gives way to the one on a, on whatever shard it lives.
func (s *shard) supersede(a *association, ev machine.Event) {
	by := prefixOf(a.addr)
	if home := s.server.home(ev.Hint); home != nil {
		home.post(func(now time.Time) { home.superseded(now, ev.Replaced, ev.Hint, by) })
	}
}

// superseded is supersede where the session lives: by is from where its successor has come. A session that has ended
// meanwhile, or whose player has moved on, has been dealt with.
func (s *shard) superseded(now time.Time, old *machine.Session, hint uint32, by netip.Prefix) {
	a := s.hints[hint]
	if a == nil || a.match.Session() != old {
		return
	}
	s.successor = by
	s.end(now, a, wire.ReasonReplaced)
	s.successor = netip.Prefix{}
}

// end is Shutdown's part for one player.
func (s *shard) end(now time.Time, a *association, reason wire.Reason) {
	reply, ev := a.session.Close(reason)
	s.outcome(now, a, reply, ev)
}

// version is what an audit record says about who made it.
var version = fmt.Sprint("sallyport protocol ", wire.Version)

// record writes a trust decision about an association's player.
func (s *shard) record(now time.Time, a *association, d audit.Decision, ev machine.Event) {
	e := s.decision(now, a, d)
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
func (s *shard) decision(now time.Time, a *association, d audit.Decision) audit.Event {
	e := audit.Event{Time: s.server.clock.at(now), Decision: d, Prefix: prefixOf(a.addr), Version: version}
	if sess := a.session.Session(); sess != nil {
		f := sess.Fingerprint()
		e.Issuer, e.Subject, e.TokenID = sess.Issuer(), sess.Subject(), sess.TokenID()
		e.Session, e.Scope, e.Platform, e.Build = sess.ID(), sess.Scope(), f.Platform, f.Build
	}
	return e
}
