package lanes

import "github.com/sallyport/sallyport/internal/wire"

// Inputs returns how many messages of lanes with Input the body, which passed Table.Check, would
// complete for the first time. It is asked before the rate is judged: what the rate then drops is
// not acknowledged and comes again, and a reliable message is not counted again for that.
func (e *Endpoint) Inputs(body []byte) (n int) {
	r := wire.NewFrames(body)
	var f wire.Frame
	for i := 0; r.Next(&f); i++ {
		if f.Type == wire.FrameAck || f.Type == wire.FrameSkip || f.Type == wire.FrameCredit || !e.table.lanes[f.Lane].Input {
			continue
		}
		if e.completes(&f, body, i) {
			n++
		}
	}
	return n
}

// completes reports whether f, the frame of body with index i, completes a message for the first time.
func (e *Endpoint) completes(f *wire.Frame, body []byte, i int) bool {
	d := e.reader(f.Lane)
	switch mode := e.table.lanes[f.Lane].Mode; {
	case mode == Latest:
		old, known := d.keys[f.Key]
		return !known || f.ID > old/2
	case mode.repeats():
		if f.ID < d.floor || f.ID >= d.floor+MaxSpan {
			return false
		}
		s := d.slot(f.ID)
		if s.state >= held || s.counted || f.Type != wire.FrameWhole && !s.parts.completedBy(f, body, i) {
			return false
		}
		s.counted = true
		return true
	case d.loose == nil:
		return f.Type == wire.FrameWhole || (*assembly)(nil).completedBy(f, body, i)
	default:
		l := d.loose
		if l.delivered.has(f.ID) || l.delivered.old(f.ID) || mode == Sequenced && f.ID < l.delivered.high {
			return false
		}
		if f.Type == wire.FrameWhole {
			return true
		}
		for _, a := range l.partials {
			if a != nil && a.id == f.ID {
				return a.completedBy(f, body, i)
			}
		}
		return f.ID > l.evicted && (*assembly)(nil).completedBy(f, body, i)
	}
}

// completedBy reports whether f, the frame of body with index i, is the last part that the message
// lacks. Another may come before it in the body, but no third one: fragments of a message are more
// than a third of a body, but for its last.
func (a *assembly) completedBy(f *wire.Frame, body []byte, i int) bool {
	switch a.lacks(f) {
	case 1:
		return true
	case 2:
		r := wire.NewFrames(body)
		var before wire.Frame
		for range i {
			r.Next(&before)
			if before.Lane == f.Lane && before.ID == f.ID && before.Total == f.Total && position(&before) != position(f) && a.lacks(&before) > 0 {
				return true
			}
		}
	}
	return false
}
