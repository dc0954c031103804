package machine

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
)

// livesOnFormer reports whether the session lives on the former connection until the first datagram
// is accepted here.
func (c *Conn) livesOnFormer() bool { return c.resuming != nil && c.resuming.former != nil }

// Former returns the id of the connection on which the session of a ticket lives now, 0 if there is
// none.
func (c *Conn) Former() uint32 {
	if c.pending == nil || c.pending.ticket == nil {
		return 0
	}
	if s := c.gate.sessionOf(c.pending.ticket); s != nil {
		return s.connectionID.Load()
	}
	return 0
}

// Sequence returns the last number sent. It belongs to the sending half.
func (c *Conn) Sequence() uint64 { return c.sequence }

// completeResumption is called with the first accepted datagram: from now on the session lives
// here, and its ticket is used up.
func (c *Conn) completeResumption(now time.Time) audit.Drop {
	r := c.resuming
	if r == nil {
		return audit.DropNone
	}
	if f := r.former; f != nil && f.state != live {
		r.why = verdict{drop: f.why} // it has ended in the meantime
	} else {
		r.why = because(c.gate.spendTicket(c.gate.kept(now), r, c.session))
	}
	if r.why.drop != audit.DropNone {
		return r.why.drop
	}
	c.resuming = nil
	c.enter(live)
	c.session.connectionID.Store(c.connectionID)
	if r.fresh {
		c.pace(now, claimsOf(r.ticket))
	}
	if r.former != nil {
		c.takeOver(now, r)
	}
	if c.confined {
		c.confine(now) // includes the ticket of this WELCOME
	}
	return audit.DropNone
}

// failResumption closes a connection to which its session has not moved.
func (c *Conn) failResumption(why verdict) (Reply, Event) {
	reason, ok := reasons[why.drop]
	if !ok {
		reason = wire.ReasonTicket
	}
	reply, ev := c.close(why.drop, reason)
	ev.Cause = why.cause
	return reply, ev
}

// takeOver takes over the state of the session from the former connection, and closes it silently.
func (c *Conn) takeOver(now time.Time, r *resumption) {
	f := r.former
	c.accepted += f.accepted
	c.behaviour, c.retryAt = f.behaviour, f.retryAt
	if c.laned && f.laned {
		c.lanes.pong.follow(&f.lanes.pong)
	}
	if f.next != nil && c.Away() && f.boundNetwork() == c.path { // a token has been accepted since WELCOME
		c.bind()
	}
	if f.next == nil && !r.fresh { // else RENEWED may be lost, and the client must renew again
		c.renewAt = f.renewAt
	}
	if !r.fresh {
		c.confined = f.confined
		if f.owes() {
			c.takeOverStepUp(now, f.doubt)
		}
	}
	f.closeSilently()
}

// takeOverStepUp takes over a step up, which is owed on every connection.
func (c *Conn) takeOverStepUp(now time.Time, d *doubt) {
	home := c.boundNetwork()
	c.doubt = d
	d.step.advance(now)
	d.step.ticked = now // so that a client gains no time by resuming before each Tick
	if s := c.owedForNetwork(); s != nil {
		switch away := c.Away(); {
		case away && !s.homeSince.IsZero():
			s.leaveHome(now)
		case !away && s.homeSince.IsZero():
			s.enterHome(now)
		}
	}
	d.home = netip.Prefix{}
	if c.Away() {
		d.home = home
	}
}

// closeSilently closes a connection whose session continues elsewhere, without a CLOSE.
func (c *Conn) closeSilently() {
	c.enter(closed)
	c.why = audit.DropState
	c.end()
	c.partial = nil
	c.pending, c.answer, c.doubt = nil, nil, nil
}

// Follow raises the sending half's number above the last one that the former connection has sent,
// so that none is used twice. It belongs to the owner of both sending halves.
func (c *Conn) Follow(former *Conn) { c.sequence = max(c.sequence, former.sequence) }
