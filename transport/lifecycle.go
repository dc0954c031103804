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
	// Join is called when a player's session has begun. To refuse a player, use
	// session.Config.Authorize; Kick works here too, and Leave is called then.
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
func (s *shard) verify(now time.Time, c *conn, raw []byte) {
	v := verified{conn: c}
	j := job{raw: slices.Clone(raw), now: s.server.clock.at(now), from: c.Addr.Addr(), done: func(claims *token.Claims, err error) {
		v.claims, v.err = claims, err
		c.Shard.Post(v)
	}}
	if !s.server.verifications.submit(j) {
		verified{c, nil, session.ErrBusy}.Deliver(now)
	}
}

// verified is the outcome.
type verified struct {
	conn   *conn
	claims *token.Claims
	err    error
}

func (m verified) Deliver(now time.Time) {
	reply, ev := m.conn.session.Verified(now, m.claims, m.err)
	m.conn.Shard.Drop(ev.Drop)
	m.conn.act(now, reply, ev)
}

// join begins a player's stay.
func (c *conn) join(now time.Time, ev machine.Event) {
	if old := connOf(c.Former); old != nil { // somebody else's, or the same player's who begins anew
		c.Former = nil
		if old.Listed() && old.Addr == c.Addr { // else it has moved away meanwhile
			old.giveWay(now)
			old.Shard.Table.Remove(&old.Conn)
		}
	}
	s := c.self.shard
	c.player = &c.self
	c.player.conn, c.player.session = c, c.session.Session()
	s.server.sessions.add()
	decision := audit.Accept
	if ev.Kind == machine.EventResumed {
		decision = audit.Resume
	}
	c.self.shard.audit(now, c, decision, ev)
	c.Shard.Handshakes.Note(now, c.Addr)
	s.players.add(c.player)
	s.handler.Join(c.player)
}

// leave ends a player's stay, if it had begun, and the connection some time
// later.
func (c *conn) leave(now time.Time, ev machine.Event) {
	c.linger(now)
	if c.player == nil || ev.Kind != machine.EventClosed || !c.player.gone.CompareAndSwap(false, true) {
		return
	}
	decision := audit.Close
	switch {
	case ev.Reason == wire.ReasonReplaced:
		decision = audit.Replace
	case ev.Drop == audit.DropRevoked, ev.Reason == wire.ReasonRevoked, ev.Reason == wire.ReasonRate:
		decision = audit.Revoke
	}
	c.self.shard.audit(now, c, decision, ev)
	c.Shard.Handshakes.Note(now, c.Addr)
	c.player.farewell(ev.Reason)
}

// farewell is the end of a player's stay, once it is on record.
func (p *Player) farewell(reason wire.Reason) {
	p.shard.server.sessions.live.Add(-1)
	p.shard.players.remove(p)
	p.shard.handler.Leave(p, reason)
}

// linger leaves a connection to answer what still comes. To whom CLOSE has not been
// said, or who has said it, it sends close_notify.
func (c *conn) linger(now time.Time) {
	if c.ending == nil {
		c.ending = &ending{conn: c, began: now, done: true}
		c.Shard.Out.Alert(&c.Conn, record.CloseNotify[:])
	}
}

// giveWay ends the session of a connection that a newer one of its player takes the place of.
func (c *conn) giveWay(now time.Time) {
	_, ev := c.session.Close(wire.ReasonReplaced)
	c.leave(now, ev)
}

// kicked is Player.Kick, as the shard gets it.
type kicked struct {
	player *Player
	reason wire.Reason
	detail string
}

func (m kicked) Deliver(now time.Time) {
	c := m.player.conn
	reply, ev := c.session.Dismiss(m.reason, m.detail)
	c.act(now, reply, ev)
}

// supersede ends the session of the same player that gives way to a's, on whatever shard it lives.
func (s *shard) supersede(c *conn, ev machine.Event) {
	if home := shardOf(s.Endpoint.Home(ev.ConnectionID)); home != nil {
		home.Post(superseded{home, ev.Replaced, ev.ConnectionID, prefixOf(c.Addr)})
	}
}

// superseded is a session that gives way, where it lives. One that has ended meanwhile, or whose
// player has moved on, has been dealt with.
type superseded struct {
	shard   *shard
	session *machine.Session
	id      uint32
	by      netip.Prefix // from where its successor has come
}

func (m superseded) Deliver(now time.Time) {
	c := connOf(m.shard.Table.Find(m.id))
	if c == nil || c.session.Session() != m.session {
		return
	}
	m.shard.successor = m.by
	c.end(now, wire.ReasonReplaced)
	m.shard.successor = netip.Prefix{}
}

// end ends a session with CLOSE.
func (c *conn) end(now time.Time, reason wire.Reason) {
	reply, ev := c.session.Close(reason)
	c.act(now, reply, ev)
}

// version is what an audit record says about who made it.
var version = fmt.Sprint("sallyport protocol ", wire.Version)

// audit records a trust decision about a connection's player.
func (s *shard) audit(now time.Time, a *conn, d audit.Decision, ev machine.Event) {
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

// decision is what every record about a connection's player says.
func (s *shard) decision(now time.Time, c *conn, d audit.Decision) audit.Event {
	e := audit.Event{Time: s.server.clock.at(now), Decision: d, Prefix: prefixOf(c.Addr), Version: version}
	if sess := c.session.Session(); sess != nil {
		f := sess.Fingerprint()
		e.Issuer, e.Subject, e.TokenID = sess.Issuer(), sess.Subject(), sess.TokenID()
		e.Session, e.Scope, e.Platform, e.Build = sess.ID(), sess.Scope(), f.Platform, f.Build
	}
	return e
}
