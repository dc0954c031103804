package transport

import (
	"net/netip"
	"slices"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Handler holds a match server's callbacks for its players. Each function may be nil, and must not
// block.
//
// Poll calls them from its caller's goroutine, one at a time. Serve calls them from one goroutine
// for each shard: one at a time for the players of a shard, concurrently for those of different
// shards.
type Handler struct {
	// Join is called when a player's session has begun, before the client hears of it: what is sent
	// to the player goes out when Join has returned. Player.Origin says whether the session is new,
	// Player.Metadata returns what the client has sent along, and Player.Refuse refuses the player.
	Join func(p *Player)
	// Receive is called for each accepted datagram. payload is borrowed: it is
	// valid until Receive returns.
	Receive func(p *Player, payload []byte)
	// Message is called for each message of a lane of any mode but Latest, in the order of its mode,
	// with the id that the client's SendMessage has returned. b is borrowed: it is valid until Message
	// returns. session.Config.Cost and Inspect do not see messages.
	Message func(p *Player, lane int, id uint64, b []byte)
	// Latest is called with the newest value of a key of a lane of mode Latest, borrowed as in
	// Message. An empty value means that the key was removed.
	Latest func(p *Player, lane int, key uint32, b []byte)
	// Receipt is called once for each message to the player on a lane with Receipts: arrived says that
	// the player's machine has it, not that its game has looked at it; false means not known to have
	// arrived. Messages that are unfinished when the player leaves are reported before Leave, except
	// those that Config.Snapshot hands on: the next process reports them, with the same ids. Where
	// that fails after all they are reported after Leave.
	Receipt func(p *Player, lane int, id uint64, arrived bool)
	// Leave is called once for each Join that has not refused the player, when the session is over.
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
	if h.Message == nil {
		h.Message = func(*Player, int, uint64, []byte) {}
	}
	if h.Latest == nil {
		h.Latest = func(*Player, int, uint32, []byte) {}
	}
	if h.Receipt == nil {
		h.Receipt = func(*Player, int, uint64, bool) {}
	}
	if h.Leave == nil {
		h.Leave = func(*Player, wire.Reason) {}
	}
	return h
}

// verify has an identity token looked at by one of the workers.
func (s *shard) verify(now time.Time, c *conn, raw []byte) {
	v := verified{conn: c}
	clock := s.server.clock
	if s.server.audit.traced {
		v.began = clock.now()
	}
	j := job{raw: slices.Clone(raw), now: clock.at(now), from: c.Addr.Addr(), done: func(claims *token.Claims, err error) {
		v.claims, v.err = claims, err
		if !v.began.IsZero() {
			v.ended = clock.now()
		}
		c.Shard.Post(v)
	}}
	if !s.server.verifications.submit(j) {
		verified{conn: c, err: session.ErrBusy}.Deliver(now)
	}
}

// verified is the outcome.
type verified struct {
	conn         *conn
	claims       *token.Claims
	err          error
	began, ended time.Time // zero where nobody asks
}

func (m verified) Deliver(now time.Time) {
	c := m.conn
	c.aside.verified(m.began, m.ended, m.err)
	reply, ev := c.session.Verified(now, m.claims, m.err)
	c.Shard.Drop(ev.Drop)
	c.act(now, reply, ev)
	if ev.Kind != machine.EventResume { // else it goes on
		c.aside.cut(ev) // what nothing else was said of: a token of BEARER that may come again
	}
}

// join begins a player's stay, unless Handler.Join refuses the player. welcome is the WELCOME that
// waits for that; its Kind is 0 if it has been sent.
func (c *conn) join(now time.Time, welcome machine.Reply, ev machine.Event) {
	j := &joiningPlayer{player: &c.self, welcome: welcome, metadata: ev.Payload}
	ev.Payload = nil        // else the audit would have what a player may have chosen freely
	old := connOf(c.Former) // the same player's who begins anew, or somebody else's who has had the address before
	c.Former = nil
	c.player = &c.self
	c.player.conn, c.player.session = c, c.session.Session()
	// The rest follows also where the old one's Leave panics.
	defer j.begin(now, ev)
	if old != nil && old.Listed() && old.Addr == c.Addr && (old.player == nil || old.player.is(c.player)) { // else it goes on
		defer old.Shard.Table.Remove(&old.Conn)
		old.giveWay(now)
	}
}

// leave ends a player's stay, if it had begun, and the connection some time
// later.
func (c *conn) leave(now time.Time, ev machine.Event) {
	defer c.aside.cut(ev)
	c.linger(now)
	if c.player == nil && ev.Cause == machine.CauseNoHello {
		c.self.shard.audit(now, c, audit.Reject, ev)
	}
	if c.player == nil || ev.Kind != machine.EventClosed || c.player.stay.Swap(gone) == gone {
		return
	}
	decision := audit.Close
	switch {
	case ev.Reason == wire.ReasonReplaced:
		decision = audit.Replace
	case ev.Drop == audit.DropRevoked, ev.Reason == wire.ReasonRevoked, ev.Reason == wire.ReasonRate:
		decision = audit.Revoke
	}
	detail := ev.Reason.String()
	if len(ev.Payload) > 0 {
		detail += ": " + string(ev.Payload)
	}
	ev.Payload = []byte(detail)
	c.self.shard.audit(now, c, decision, ev)
	c.Shard.Handshakes.Note(now, &c.Conn)
	c.player.farewell(ev.Reason, false)
}

// farewell is the end of a player's stay for the match, which hears of it once. The lanes stay if
// they are saved.
func (p *Player) farewell(reason wire.Reason, saved bool) {
	first := !p.left
	if p.left = true; first {
		p.shard.server.sessions.live.Add(-1)
		p.shard.players.remove(p)
	}
	if !saved {
		p.endMessages()
	}
	if first {
		defer p.shard.handler.Leave(p, reason) // also where Receipt panics
	}
	p.shard.receipts.deliver()
}

// linger leaves a connection to answer what still comes. To whom CLOSE has not been
// said, or who has said it, it sends close_notify.
func (c *conn) linger(now time.Time) {
	if c.ending == nil {
		c.ending = &ending{conn: c, began: now, done: true}
		c.Shard.Out.Alert(&c.Conn, record.CloseNotify[:])
	}
}

// is reports whether two players are one.
func (p *Player) is(other *Player) bool {
	a, b := p.session, other.session
	return a.Issuer() == b.Issuer() && a.Subject() == b.Subject()
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
	defer func() { m.shard.successor = netip.Prefix{} }() // also where Leave panics
	c.end(now, wire.ReasonReplaced)
}

// end ends a session with CLOSE.
func (c *conn) end(now time.Time, reason wire.Reason) {
	reply, ev := c.session.Close(reason)
	c.act(now, reply, ev)
}
