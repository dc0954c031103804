package machine

import (
	"math"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
)

// probe measures the round trip to a client and challenges a new path.
type probe struct {
	sent     time.Time
	ping     wire.Ping
	awaiting bool // the PONG has not arrived
	rtt      time.Duration
	jitter   time.Duration

	challenge  wire.Ping
	challenged bool // the challenge has not been answered from where it went
}

// ping returns the PING that is due, or nothing.
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
	if c.laned {
		c.lanes.pong.asked()
	}
	return Reply{Kind: wire.KindPing, Body: p.ping.AppendTo(nil)}
}

// ensureProbe returns c.probe, which it makes if there is none.
func (c *Conn) ensureProbe() *probe {
	if c.probe == nil {
		c.probe = new(probe)
	}
	return c.probe
}

// Challenge returns the PING to send to an address that the client may have moved to: a new one if
// fresh, else the same as last time. Its PONG is an EventAnswered, until SetPath ends the challenge; the
// caller knows which address it came from.
func (c *Conn) Challenge(fresh bool) Reply {
	p := c.ensureProbe()
	if fresh {
		c.gate.random(p.challenge.Data[:])
		p.challenged = true
	}
	return Reply{Kind: wire.KindPing, Body: p.challenge.AppendTo(nil)}
}

// pongOf returns the answer to a PING that has waited: with the report if the client has asked for it,
// and with the times if the session has lanes.
func (c *Conn) pongOf(waited time.Duration, ping []byte) Reply {
	m := wire.Pong{Data: [8]byte(ping), Report: c.reports}
	if c.reports {
		m.Lost = saturate(c.lost())
	}
	if !c.laned {
		return Reply{Kind: wire.KindPong, Body: m.AppendTo(c.report[:0])}
	}
	sent := c.gate.lanes.clock()
	m.Times, m.Received, m.Sent = true, sent.Add(-waited).UnixMicro(), sent.UnixMicro()
	return Reply{Kind: wire.KindPong, Body: m.AppendTo(c.lanes.pong.body[:0])}
}

// saturate returns n as far as 32 bits can.
func saturate(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }

// lost returns how many of the client's datagrams have not arrived, or arrived too late.
func (c *Conn) lost() uint64 {
	return c.window.Highest() - min(c.accepted, c.window.Highest()) // a client may use a number on two connections
}

// pong handles a PONG, which answers a PING or a challenge.
func (c *Conn) pong(now time.Time, body []byte) (Reply, Event) {
	m, err := wire.ParsePong(body)
	p := c.probe
	switch {
	case err != nil:
		return dropped(audit.DropMalformed)
	case p == nil:
	case p.awaiting && m.Data == p.ping.Data:
		rtt := now.Sub(p.sent)
		if p.rtt > 0 {
			p.jitter += ((rtt - p.rtt).Abs() - p.jitter) / 16
		}
		p.awaiting, p.rtt = false, rtt
		if c.laned && m.Report {
			c.lanes.pong.report(uint64(m.Lost))
			return Reply{}, Event{Kind: EventPong, RTT: rtt}
		}
	case p.challenged && m.Data == p.challenge.Data:
		return Reply{}, Event{Kind: EventAnswered}
	}
	return Reply{}, Event{}
}

// Stats are counts of a live session's traffic.
type Stats struct {
	Accepted uint64        // the client's datagrams that have passed the tag and updated the window
	Lost     uint64        // the client's datagrams that have not arrived, or arrived too late
	Sent     uint64        // datagrams to the client, among them numbers left out
	LostOut  uint64        // datagrams to the client that have not arrived, as of its last report; 0 without lanes
	RTT      time.Duration // the last one measured; 0 before, and without Config.Ping
	Jitter   time.Duration // mean difference between successive RTTs, smoothed as in RFC 3550 6.4.1
	Doubt    EventKind     // EventStepUp while a step up is owed, EventFlagged once anything was flagged, else EventNone
}

// Stats returns the counts. It reads both halves: call it from the receiving half while no other
// goroutine uses the sending half.
func (c *Conn) Stats() Stats {
	s := Stats{Accepted: c.accepted, Lost: c.lost(), Sent: c.sequence}
	if c.probe != nil {
		s.RTT, s.Jitter = c.probe.rtt, c.probe.jitter
	}
	if c.laned {
		s.LostOut = c.lanes.pong.lost
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
