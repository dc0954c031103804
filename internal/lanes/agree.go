package lanes

import (
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// What HELLO and WELCOME say of lanes. WELCOME has the table, and of each lane the credit with which
// the client's messages begin; HELLO has the credits with which the server's begin. A credit that
// HELLO leaves out, or states as 0, is that of WELCOME, and none is below the lane's longest message.

// Welcome puts the table into w.
func (t *Table) Welcome(w *wire.WelcomeLanes) {
	w.Number = uint8(len(t.lanes))
	for i := range t.lanes {
		w.Lanes[i] = t.lanes[i].spec()
	}
}

// PeerCredit returns the first credits for a server's Config that a HELLO states, nil if it states
// none.
func (t *Table) PeerCredit(h *wire.HelloLanes) []uint32 {
	if h.Stated == 0 {
		return nil
	}
	credit := make([]uint32, len(t.lanes))
	for i := range t.lanes {
		credit[i] = firstCredit(h, i, uint32(t.lanes[i].Credit), uint32(t.lanes[i].MaxMessage))
	}
	return credit
}

func firstCredit(h *wire.HelloLanes, lane int, welcome, longest uint32) uint32 {
	if lane >= int(h.Stated) || h.Credits[lane] == 0 {
		return welcome
	}
	return max(min(h.Credits[lane], wire.MaxMessage), longest)
}

// TableOf returns a client's table, and the first credits for its Config: w is of the WELCOME that
// answered a HELLO with h. The error is ErrConfig.
func TableOf(h *wire.HelloLanes, w *wire.WelcomeLanes) (t *Table, peerCredit []uint32, err error) {
	lanes := make([]Lane, w.Number)
	peerCredit = make([]uint32, w.Number)
	for i := range lanes {
		s := &w.Lanes[i]
		peerCredit[i] = s.Credit
		lanes[i] = Lane{
			Mode: Mode(s.Mode), Priority: s.Priority, Weight: s.Weight, MaxMessage: int(s.MaxMessage),
			MaxAge: time.Duration(s.MaxAge) * time.Millisecond, Parity: int(s.Parity),
			Input:    s.Flags&wire.LaneInput != 0,
			Insure:   s.Flags&wire.LaneInsure != 0,
			Receipts: s.Flags&wire.LaneReceipts != 0,
		}
		if lanes[i].Mode.repeats() {
			lanes[i].Credit = int(firstCredit(h, i, s.Credit, s.MaxMessage))
		}
	}
	t, err = NewTable(lanes)
	return t, peerCredit, err
}

// spec returns what WELCOME says of the lane.
func (l *Lane) spec() wire.LaneSpec {
	s := wire.LaneSpec{
		Mode: uint8(l.Mode), Priority: l.Priority, Weight: l.Weight, Parity: uint8(l.Parity),
		MaxMessage: uint32(l.MaxMessage),
	}
	if l.Mode.repeats() {
		s.Credit = uint32(l.Credit)
	}
	if l.Mode != Latest {
		s.MaxAge = uint32((l.MaxAge + time.Millisecond - 1) / time.Millisecond)
	}
	for _, flag := range []struct {
		set bool
		bit uint8
	}{{l.Input, wire.LaneInput}, {l.Insure, wire.LaneInsure}, {l.Receipts, wire.LaneReceipts}} {
		if flag.set {
			s.Flags |= flag.bit
		}
	}
	return s
}
