package machine

import (
	"math"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// probe measures the round trip to a player, and challenges a path.
type probe struct {
	sent     time.Time
	ping     wire.Ping
	awaiting bool // its PONG has not come
	rtt      time.Duration

	challenge  wire.Ping
	challenged bool // the challenge has not been answered
}

// ping is the PING that is due, if one is.
func (c *Conn) ping(now time.Time) Reply {
	if c.gate.config.Ping == 0 {
		return Reply{}
	}
	p := c.ensureProbe()
	if now.Sub(p.sent) < c.gate.config.Ping {
		return Reply{}
	}
	c.gate.random(p.ping.Data[:])
	p.sent, p.awaiting = now, true
	return Reply{Kind: wire.KindPing, Body: p.ping.AppendTo(nil)}
}

func (c *Conn) ensureProbe() *probe {
	if c.probe == nil {
		c.probe = new(probe)
	}
	return c.probe
}

// Challenge is the PING to send to an address that the player may have gone to:
// the same as last time, or a fresh one. Its PONG is an EventAnswered; the caller
// knows whether it has come from there.
func (c *Conn) Challenge(fresh bool) Reply {
	p := c.ensureProbe()
	if fresh {
		c.gate.random(p.challenge.Data[:])
		p.challenged = true
	}
	return Reply{Kind: wire.KindPing, Body: p.challenge.AppendTo(nil)}
}

// pongOf is the answer to a PING, with the report that the client has asked for.
func (c *Conn) pongOf(ping []byte) Reply {
	m := wire.Pong{Data: [8]byte(ping), Report: c.reports}
	if c.reports {
		m.Lost = uint32(min(c.lost(), math.MaxUint32))
	}
	return Reply{Kind: wire.KindPong, Body: m.AppendTo(c.report[:0])}
}

// lost is how many of the player's datagrams have not come, or came too late.
func (c *Conn) lost() uint64 {
	return c.window.Highest() - min(c.accepted, c.window.Highest()) // a client may use one number on two connections
}

func (c *Conn) pong(now time.Time, body []byte) (Reply, Event) {
	m, err := wire.ParsePing(body)
	p := c.probe
	switch {
	case err != nil || p == nil:
	case p.awaiting && m == p.ping:
		p.awaiting, p.rtt = false, now.Sub(p.sent)
	case p.challenged && m == p.challenge:
		p.challenged = false
		return Reply{}, Event{Kind: EventAnswered}
	}
	return Reply{}, Event{}
}

// Stats is what is known of a live session's traffic.
type Stats struct {
	Accepted uint64        // datagrams of the player's that passed every check up to the mark
	Lost     uint64        // those that the player has sent and that have not come, or came too late
	Sent     uint64        // datagrams to the player
	RTT      time.Duration // the last one measured; 0 before, and without Config.Ping
	Doubt    EventKind     // EventStepUp while one waits for its token, EventFlagged once something was, else EventNone
}

// Stats counts. It belongs to the receiving half, and so to nobody while the
// sending half is at work on another goroutine.
func (c *Conn) Stats() Stats {
	s := Stats{Accepted: c.accepted, Lost: c.lost(), Sent: c.sequence}
	if c.probe != nil {
		s.RTT = c.probe.rtt
	}
	if d := c.doubt; d != nil {
		switch {
		case d.step != nil:
			s.Doubt = EventStepUp
		case d.flagged:
			s.Doubt = EventFlagged
		}
	}
	return s
}
