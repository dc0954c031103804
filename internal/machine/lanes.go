package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/wire"
)

// Lanes is what HELLO and WELCOME have agreed on for a session's lanes on one connection: what a
// lanes.Endpoint begins with, or goes on with. The endpoint belongs to the caller, one for each
// session, and not to the machines.
type Lanes struct {
	Table      *lanes.Table
	Generation uint32
	Kept       bool          // both ends hold the lanes of this generation: they go on
	Base       uint64        // the peer's first sequence that may be acknowledged
	PeerDelay  time.Duration // how long the peer's acknowledgements wait at most
	PeerCredit []uint32      // first credit of each lane that the peer has stated; nil means that of Table
	Rate       int           // bytes a second that the server takes; 0 at the server

	arrived uint64 // see Arrived
	lied    uint8  // how often the operator has been told of a lie
	pong    pongs
}

// lanesDelay is how long acknowledgements of either end wait at most, as stated in HELLO and WELCOME,
// in milliseconds: a frame of 60 Hz.
const lanesDelay = 16

// maxNotedLies is how many lies of a client the operator is told of on one connection: the third
// different one ends the session.
const maxNotedLies = 2

// offer is what a Gate offers to every client.
type offer struct {
	table   *lanes.Table
	welcome wire.WelcomeLanes // without a generation
	clock   func() time.Time
}

// UseLanes has sessions use lanes if their clients can. Call it before the first connection. clock is
// what PONG's times are read from, without steps.
func (g *Gate) UseLanes(t *lanes.Table, clock func() time.Time) {
	o := &offer{table: t, clock: clock, welcome: wire.WelcomeLanes{Delay: lanesDelay, Rate: uint32(g.config.Behaviour.Bytes)}}
	t.Welcome(&o.welcome)
	g.lanes = o
}

// features returns the feature bits that the server has.
func (g *Gate) features() uint32 {
	if g.lanes != nil {
		return features | wire.FeatureLanes
	}
	return features
}

// keepLanes notes that the lanes of the former connection go on if the client holds them, too.
func (p *pending) keepLanes(former *Conn) {
	if l := former.Lanes(); l != nil && p.hello.lanes.Generation == l.Generation {
		p.generation = l.Generation
	}
}

// agreeLanes begins the lanes of c.session on this connection if both ends have them, and returns
// WELCOME's word about them. c.window stands where WELCOME has the client go on.
func (c *Conn) agreeLanes() (w wire.WelcomeLanes) {
	p, o := c.pending, c.gate.lanes
	if p.hello.features&wire.FeatureLanes == 0 {
		return w
	}
	l := &Lanes{
		Table: o.table, Generation: p.generation, Kept: p.generation != 0, Base: c.window.Highest() + 1,
		PeerDelay: time.Duration(p.hello.lanes.Delay) * time.Millisecond, PeerCredit: o.table.PeerCredit(&p.hello.lanes),
	}
	for l.Generation == 0 {
		l.Generation = c.gate.random32()
	}
	l.pong.known = p.ticket == nil
	c.lanes, c.laned = l, true
	w = o.welcome
	w.Generation = l.Generation
	return w
}

// Lanes returns what has been agreed on for the session's lanes, nil if it has none. It may be called
// on a nil Conn.
func (c *Conn) Lanes() *Lanes {
	if c == nil {
		return nil
	}
	return c.lanes
}

// Arrived returns the sequence of the datagram that the last HandleLate has accepted, once, and 0 if
// it has accepted none or the session has no lanes.
func (c *Conn) Arrived() (seq uint64) {
	if !c.laned {
		return 0
	}
	seq, c.lanes.arrived = c.lanes.arrived, 0
	return seq
}

// checkFrames is what step 10 asks of FRAMES before it is charged. Charge is the rest.
func (c *Conn) checkFrames(body []byte) audit.Drop {
	switch {
	case !c.laned || c.bearer:
		return audit.DropState
	case !c.lanes.Table.Check(body):
		return audit.DropMalformed
	}
	return audit.DropNone
}

// Charge judges the body of an EventFrames, which arrived earlier than now by waited and completes
// inputs messages of the player's input. Without a Drop in the Event it may have its effect.
func (c *Conn) Charge(now time.Time, waited time.Duration, body []byte, inputs int) (Reply, Event) {
	drop := c.act(c.observe(now.Add(-waited), len(body), inputs))
	if drop != audit.DropNone && c.excess {
		return c.revoke(drop, CauseRate)
	}
	return dropped(drop)
}

// Settle takes what became of an EventFrames that Charge has let pass. What no honest client does
// ends the session, or is told to the operator.
func (c *Conn) Settle(o lanes.Outcome) (Reply, Event) {
	switch o {
	case lanes.Malformed:
		return dropped(audit.DropMalformed)
	case lanes.Lied:
		if c.lanes.lied >= maxNotedLies { // the same one again, and maybe a thousand times
			return dropped(audit.DropLanes)
		}
		c.lanes.lied++
		return Reply{}, Event{Kind: EventNoted, Drop: audit.DropLanes, Cause: CauseLanesLie}
	case lanes.Overrun:
		return c.revoke(audit.DropLanes, CauseLanesCredit)
	case lanes.TooFar:
		return c.revoke(audit.DropLanes, CauseLanesSpan)
	case lanes.Liar:
		return c.revoke(audit.DropLanes, CauseLanesLie)
	}
	return Reply{}, Event{}
}
