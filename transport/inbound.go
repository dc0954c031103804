package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
)

// Handle implements dtls.ConnUser: it hands a record's plaintext to the session, and does what that
// says.
func (c *conn) Handle(now time.Time, waited time.Duration, plaintext []byte) {
	reply, ev := c.session.HandleLate(now, waited, plaintext)
	if ev.Enters != machine.EventNone {
		if c.enter(now, ev.Enters); c.player == nil {
			return // refused
		}
	}
	if seq := c.session.Arrived(); seq != 0 && c.player != nil {
		switch m := c.player.messages; {
		case ev.Kind == machine.EventFrames:
			reply, ev = m.receive(now, waited, seq, ev.Payload)
		case ev.Drop == audit.DropNone: // else it may be FRAMES, which are acknowledged only where they took effect
			m.note(now, waited, seq, ev.Kind == machine.EventPong)
		}
	}
	if ev.Kind == machine.EventData && reply.Kind == 0 { // the usual case
		c.self.shard.handler.Receive(c.player, ev.Payload)
		return
	}
	c.Shard.Drop(ev.Drop)
	c.act(now, reply, ev)
}

// act sends a machine's reply and acts on its event.
func (c *conn) act(now time.Time, reply machine.Reply, ev machine.Event) {
	if reply.Kind != 0 && ev.Kind != machine.EventJoined { // WELCOME waits for Join
		c.send(c.Addr, reply.Kind, reply.Body) //nolint:errcheck // a lost datagram: the client repeats what it answers
	}
	if reply.Kind == wire.KindClose && (ev.Kind == machine.EventClosed || ev.Kind == machine.EventRefused) {
		c.self.shard.endings.repeatClose(now, c, reply.Body)
	}
	if ev.Replaced != nil {
		c.self.shard.supersede(c, ev)
	}
	switch ev.Kind {
	case machine.EventVerify:
		c.aside.presents(now, ev.Ticket)
		c.self.shard.verify(now, c, ev.Token)
	case machine.EventResume:
		c.aside.begin(now, StepResume)
		c.resume(now, ev.ConnectionID)
	case machine.EventJoined:
		c.join(now, reply, ev)
	case machine.EventRenewed:
		c.self.shard.audit(now, c, audit.Renew, ev)
		c.aside.finish(OutcomeOK, "")
	case machine.EventAnswered:
		c.move(now)
	case machine.EventStepUp:
		c.self.shard.audit(now, c, audit.StepUp, ev)
	case machine.EventFlagged:
		c.self.shard.audit(now, c, audit.Flag, ev)
	case machine.EventNoted:
		c.self.shard.audit(now, c, audit.Reject, ev)
	case machine.EventRefused:
		c.self.shard.audit(now, c, audit.Reject, ev)
		c.aside.refused(now, ev)
		if c.player == nil {
			c.linger(now)
		}
	case machine.EventClosed:
		c.leave(now, ev)
	case machine.EventCloseAgain:
		if c.ending != nil && now.Sub(c.ending.began) < closeTime {
			c.Shard.Out.Alert(&c.Conn, record.CloseNotify[:])
		}
	}
}

// Closed implements dtls.ConnUser: the peer's end of the connection is gone. A session that can be
// resumed waits for its player.
func (c *conn) Closed(now time.Time) {
	switch {
	case c.ending != nil:
		c.ending.answered()
		return
	case c.player != nil && c.session.Resumable():
		c.Shard.Out.Alert(&c.Conn, record.CloseNotify[:])
		c.Shard.Out.Wipe(&c.Conn)
		return
	}
	_, ev := c.session.Disconnected()
	c.leave(now, ev)
	c.ending.gone = true
}
