package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/wire"
)

// features returns the feature bits that the client offers.
func (c *Client) features() uint32 {
	if c.usesLanes() {
		return features | wire.FeatureLanes
	}
	return features
}

// usesLanes reports whether the client asks for lanes. A session in bearer mode has none.
func (c *Client) usesLanes() bool { return c.config.Lanes && !c.config.Bearer }

// heldLanes returns HELLO's word about the lanes: which the client holds. It states no credit of its
// own: each end grants what WELCOME says.
func (c *Client) heldLanes() (h wire.HelloLanes) {
	if !c.usesLanes() {
		return h
	}
	h.Delay = lanesDelay
	if c.lanes != nil {
		h.Generation = c.lanes.Generation
	}
	return h
}

// adoptLanes takes over WELCOME's word about the lanes, and reports whether it fits HELLO's: lanes
// that go on are those of before.
func (c *Client) adoptLanes(m *wire.Welcome) bool {
	w := &m.Lanes
	switch {
	case !w.Present():
		c.lanes = nil
		return true
	case !c.usesLanes():
		return false
	}
	l := &Lanes{
		Generation: w.Generation, Base: m.ServerNext, PeerDelay: time.Duration(w.Delay) * time.Millisecond, Rate: int(w.Rate),
	}
	if held := c.lanes; held != nil && held.Generation == w.Generation {
		l.Table, l.Kept = held.Table, true
	} else {
		var err error
		h := c.heldLanes()
		if l.Table, l.PeerCredit, err = lanes.TableOf(&h, w); err != nil {
			return false
		}
	}
	c.lanes = l
	return true
}

// Lanes returns what has been agreed on for the session's lanes, nil before WELCOME and if there are
// none.
func (c *Client) Lanes() *Lanes {
	if c.state == verifying {
		return nil
	}
	return c.lanes
}

// Arrived returns the sequence of the datagram that the last Handle has accepted, once, and 0 if it
// has accepted none or the session has no lanes.
func (c *Client) Arrived() (seq uint64) {
	if c.lanes == nil {
		return 0
	}
	seq, c.lanes.arrived = c.lanes.arrived, 0
	return seq
}

// Sequence returns the last number sent. It belongs to the sending half.
func (c *Client) Sequence() uint64 { return c.sequence }

// frames hands FRAMES on to the lanes.
func (c *Client) frames(now time.Time, body []byte) (Reply, Event) {
	switch {
	case c.lanes == nil:
		return dropped(audit.DropState)
	case !c.lanes.Table.Check(body):
		return dropped(audit.DropMalformed)
	}
	c.watch.lastPayload = now
	return Reply{}, Event{Kind: EventFrames, Payload: body}
}
