package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// conn is a connection and the session on top of it. It belongs to its shard; what it
// seals, to the shard's outbox. What every datagram needs stands together, in one piece of
// memory.
type conn struct {
	dtls.Conn

	player  *Player      // nil before EventJoined, or as long as it is another connection's
	session machine.Conn // Handle is the shard's, Append the outbox's
	self    Player       // its shard is the connection's, from the beginning

	aside  *aside  // nil where nobody reads trace ids and the player is at home
	ending *ending // nil while its session may live
}

// channel is what the session machine has to know of the handshake's result.
func channel(r *handshake.Result) machine.Channel {
	var ch machine.Channel
	copy(ch.Exporter[:], r.Secrets.Export(machine.ExporterLabel, len(ch.Exporter)))
	if len(r.Peer) > 0 {
		ch.HasCertificate, ch.Thumbprint = true, thumbprint(r.Peer[0])
	}
	return ch
}

// Replaced implements dtls.ConnUser: who plays may have lost the address to somebody else.
func (c *conn) Replaced(now time.Time) (stays bool) {
	if c.player != nil {
		return true
	}
	c.giveWay(now)
	return false
}

// Tick implements dtls.ConnUser.
func (c *conn) Tick(now time.Time) {
	if c.ending != nil {
		if now.Sub(c.ending.began) >= lingerTime || c.ending.gone {
			c.Shard.Table.Remove(&c.Conn)
		}
		return
	}
	c.ForgetFlight(now)
	if h := &c.Shard.Handshakes; c.player != nil && h.NoteDue(now) {
		h.Note(now, &c.Conn)
	}
	c.rest()
	c.ReprobePath(now) // which may have had to wait
	reply, ev := c.session.Tick(now)
	c.Shard.Drop(ev.Drop)
	if reply.Kind == wire.KindNotice && c.aside != nil && c.aside.left != nil {
		c.send(*c.aside.left, reply.Kind, reply.Body) //nolint:errcheck // a lost datagram
	}
	c.act(now, reply, ev)
}

// rest drops the expanded keys of a silent player: of 4 KB they are most.
func (c *conn) rest() {
	if c.DropOpenKey() {
		c.session.DropHandleKey()
	}
	c.Shard.Out.Mu.Lock()
	defer c.Shard.Out.Mu.Unlock()
	c.session.DropAppendKey(c.DropSealKey())
}

// Roamer implements dtls.Mover.
func (c *conn) Roamer() dtls.Roamer {
	switch {
	case c.ending != nil && c.ending.body != nil && c.ending.pending():
		return c.ending
	case c.ending == nil && c.session.Begun():
		return c
	}
	return nil
}

// Roamed implements dtls.Roamer: the network part of the fingerprint is judged, and the address
// is a candidate, once the session lives here.
func (c *conn) Roamed(now time.Time, from udp.Flow, length int) {
	switch {
	case c.ending != nil || c.player == nil || c.Addr == from:
	case !c.session.Follows(from.Addr()):
		c.Shard.Drop(audit.DropFingerprint)
	default:
		c.Candidate(now, from, length)
	}
}

// Challenge implements dtls.Mover.
func (c *conn) Challenge(to udp.Flow, first bool) {
	reply := c.session.Challenge(first)
	c.send(to, reply.Kind, reply.Body) //nolint:errcheck // a lost datagram
}

// Identified implements dtls.Mover.
func (c *conn) Identified(id uint32) { c.session.SetConnectionID(id) }

// leaves notes where the player was before it left its network.
func (c *conn) leaves(away bool, former udp.Flow) {
	switch {
	case c.session.Away() && away:
		return
	case c.session.Away():
		if c.aside == nil {
			c.aside = &aside{conn: c}
		}
		c.aside.left = &former
	case c.aside != nil:
		c.aside.left = nil
	}
}

// challengeLen is the length in bytes of the datagram with a challenge.
const challengeLen = record.Overhead + wire.HeaderLen + 8

// move is called when a challenge has been answered: the player has moved there.
func (c *conn) move(now time.Time) {
	away := c.session.Away()
	former, ok := c.Answered(now)
	if !ok {
		return
	}
	c.session.SetPath(now, c.Addr.Addr())
	if c.player != nil {
		c.player.moved()
	}
	c.leaves(away, former)
	c.Shard.Handshakes.Note(now, &c.Conn)
	e := c.self.shard.decision(now, c, audit.Migrate)
	e.Previous = prefixOf(former)
	c.self.shard.server.audit.Record(e)
	notice := wire.NoticeBody{Code: wire.NoticeMoved}
	c.send(c.Addr, wire.KindNotice, notice.AppendTo(nil)) //nolint:errcheck // a lost datagram
}
