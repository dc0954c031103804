package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
)

// A player comes back by a new connection while the old one stands. Both are
// connections of one shard, and the new one knows the old as before:
//
//	keys proven        at the old one's own address: it loses its place in the table of addresses, nothing else
//	HELLO, ticket      before is where the session lives; WELCOME
//	first datagram     the player moves over, and the old connection goes without a word
//
// Until then everything for the player goes out by the old one, and what still
// comes in by it counts. Where the new one fails, the old one gets its place back.

// resume answers a ticket: the session lives on the connection that id names, or
// nowhere here. One that lives on another shard stays there, and the newcomer moves.
func (c *conn) resume(now time.Time, id uint32) {
	s := c.self.shard
	if home := shardOf(s.Endpoint.Home(id)); id != 0 && home != nil && home.Index != s.Index {
		s.Post(leaving{c, home, id}) // whose datagram is still being opened here
		return
	}
	returning{c, s, id}.Deliver(now)
}

// returning is a ticket that is answered on the shard where its session lives, if it lives at all.
type returning struct {
	conn *conn
	home *shard
	id   uint32
}

// leaving is the same while its connection, which has no player, is on another shard.
type leaving returning

func (m leaving) Deliver(time.Time) {
	if m.conn.ending == nil { // else its end is this shard's, which repeats CLOSE
		m.conn.Shard.Table.Move(&m.conn.Conn, m.home.Shard, returning(m))
	}
}

func (m returning) Deliver(now time.Time) {
	c, t := m.conn, &m.conn.Shard.Table
	c.self.shard = m.home
	former := connOf(t.Find(m.id))
	if former == nil && m.id != 0 { // it has moved since
		former = connOf(t.Find(c.session.Former()))
	}
	var live *machine.Conn
	var sent uint64
	if former != nil {
		live = &former.session
		c.Shard.Out.Mu.Lock()
		sent = live.Sequence()
		c.Shard.Out.Mu.Unlock()
	}
	if former != nil && former.player != nil { // else it waits for its own first datagram
		c.Former = &former.Conn
	}
	reply, ev := c.session.Resume(now, live, sent)
	if ev.Kind == machine.EventRefused && c.Former != nil && c.Former.Addr != c.Addr {
		c.Former = nil
	}
	c.Shard.Drop(ev.Drop)
	c.act(now, reply, ev)
	if ev.Displaces && former.Listed() {
		former.Shard.Table.Remove(&former.Conn)
	}
}

// enter lets a player in whose session was resumed here, or moves it over from the former
// connection. Until then a has none.
func (c *conn) enter(now time.Time, how machine.EventKind) {
	old := connOf(c.Former)
	if how != machine.EventTakeover || old == nil || old.player == nil {
		c.join(now, machine.Reply{}, machine.Event{Kind: machine.EventResumed})
		return
	}
	c.Former = nil
	p := old.player
	c.Follow(&old.Conn)
	c.Shard.Out.Mu.Lock()
	c.player, old.player = p, nil // whoever sends looks at the connection's player
	c.session.Follow(&old.session)
	p.conn = c
	p.agree(&c.session)
	c.Shard.Out.Mu.Unlock()
	c.self.shard.audit(now, c, audit.Resume, machine.Event{})
	c.aside.finish(OutcomeOK, "")
	c.Shard.Handshakes.Note(now, &c.Conn)
	old.Shard.Table.Remove(&old.Conn)
}
