package machine

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
)

// saveLanes returns what has been agreed on for the session's lanes, without their state. A session
// without lanes has none.
func (c *Conn) saveLanes() *resume.Lanes {
	l := c.lanes
	if l == nil {
		return nil
	}
	return &resume.Lanes{Delay: uint8(l.PeerDelay / time.Millisecond), Credits: l.PeerCredit, Welcome: c.gate.lanes.bytes(l.Generation)}
}

// bytes returns the value of WELCOME's field lanes for a generation.
func (o *offer) bytes(generation uint32) []byte {
	w := o.welcome
	w.Generation = generation
	return w.AppendTo(nil)
}

// SavedLanes returns what a session that another process has saved has agreed on for its lanes, nil
// if it has none. They go on at both ends: its client knows of no other process, and has what that
// has told it. So ok is false if this server would tell it anything else: then the session must not
// be restored, and its client learns of the new lanes when it comes back by ticket.
//
// Base is above every number that the former process has accepted. It has acknowledged none whose
// effect is not in the state of the lanes; what else the client has sent under a lower number is
// never acknowledged, so it comes again, and is recognised if it had taken effect.
func (g *Gate) SavedLanes(r *resume.Session) (l *Lanes, ok bool) {
	s := r.Lanes
	switch {
	case s == nil:
		return nil, true
	case g.lanes == nil || len(s.Welcome) < 4:
		return nil, false
	}
	generation := binary.BigEndian.Uint32(s.Welcome)
	if generation == 0 || !bytes.Equal(s.Welcome, g.lanes.bytes(generation)) {
		return nil, false
	}
	stated := wire.HelloLanes{Delay: s.Delay, Stated: uint8(len(s.Credits))}
	copy(stated.Credits[:], s.Credits)
	return &Lanes{
		Table: g.lanes.table, Generation: generation, Kept: true, Base: r.Window.Highest() + 1,
		PeerDelay: time.Duration(s.Delay) * time.Millisecond, PeerCredit: g.lanes.table.PeerCredit(&stated),
	}, true
}
