package lanes

import "github.com/sallyport/sallyport/internal/wire"

// Inputs returns how many messages of lanes with Input the body, which passed Table.Check, would
// complete for the first time. It is asked before the rate is judged: what the rate then drops is
// not acknowledged and comes again, and a reliable message is not counted again for that.
func (e *Endpoint) Inputs(body []byte) (n int) {
	r := wire.NewFrames(body)
	var f wire.Frame
	for r.Next(&f) {
		if f.Type == wire.FrameAck || f.Type == wire.FrameSkip || f.Type == wire.FrameCredit || !e.table.lanes[f.Lane].Input {
			continue
		}
		if e.completes(&f) {
			n++
		}
	}
	return n
}

func (e *Endpoint) completes(f *wire.Frame) bool {
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
		if s.state >= held || s.counted || f.Type != wire.FrameWhole && !s.parts.lacksOnly(f) {
			return false
		}
		s.counted = true
		return true
	case d.loose == nil:
		return f.Type == wire.FrameWhole
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
				return a.lacksOnly(f)
			}
		}
		return false
	}
}
