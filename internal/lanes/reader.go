package lanes

import "github.com/sallyport/sallyport/internal/wire"

// A reader is the receiving side of a lane.
type reader struct {
	// Reliable and Ordered: a message has a slot from its first fragment until it is below floor.
	floor   uint64 // the oldest id that is unfinished
	slots   ring[slot]
	below   uint64 // bytes of messages below floor, those skipped included
	seen    uint64 // bytes of all messages that have begun, as far as is known
	taken   uint64 // bytes that the game has taken, those skipped included
	granted uint64 // credit: the first and what has been taken
	stated  uint64 // of it, what CREDIT last said

	loose  *loose            // Unreliable and Sequenced
	keys   map[uint32]uint64 // Latest: the newest id of each key, times 2, plus 1 if it was removed
	newest uint64            // Latest: the newest id
	swept  uint64            // Latest: with which body keys were last looked through

	owesCredit bool
}

// States of a slot.
const (
	absent uint8 = iota
	gathering
	held     // complete, but an older one of its lane is not
	finished // delivered
)

// A slot is a message of mode Reliable or Ordered.
type slot struct {
	whole   *Payload  // while it is held
	parts   *assembly // while it is gathering
	total   uint32
	state   uint8
	counted bool // by Inputs
}

func (e *Endpoint) reader(lane uint8) *reader {
	d := e.readers[lane]
	if d == nil {
		first := uint64(e.table.lanes[lane].Credit)
		d = &reader{floor: 1, granted: first, stated: first}
		e.readers[lane] = d
	}
	return d
}

// slot returns the place of id, which is at least floor, and makes room for it.
func (d *reader) slot(id uint64) *slot {
	for d.floor+uint64(d.slots.len()) <= id {
		d.slots.push(slot{})
	}
	return d.slots.at(int(id - d.floor))
}

// takeReliable takes a frame of a message of mode Reliable or Ordered.
func (e *Endpoint) takeReliable(f *wire.Frame, sink Sink) Outcome {
	d := e.reader(f.Lane)
	e.release(f.Lane, d, sink) // what a panic of the user's has left
	switch {
	case f.ID < d.floor:
		return Accepted
	case f.ID >= d.floor+MaxSpan:
		return TooFar
	}
	s := d.slot(f.ID)
	switch {
	case s.state == absent:
		if d.seen+uint64(f.Total) > d.granted {
			return Overrun
		}
		d.seen += uint64(f.Total)
		s.total = f.Total
	case s.total != f.Total:
		return Malformed
	case s.state >= held:
		return Accepted
	}
	data := f.Data
	if f.Type == wire.FrameFragment {
		if s.parts == nil {
			s.parts, s.state = newAssembly(f.ID, f.Total, 0), gathering
		}
		if !s.parts.add(f) {
			return Accepted
		}
		data = s.parts.b
	}
	inOrder := f.ID == d.floor
	if e.table.lanes[f.Lane].Mode == Ordered && !inOrder {
		if s.state = held; s.parts != nil {
			s.whole, s.parts = s.parts.payload(), nil
		} else {
			s.whole = NewPayload(data)
		}
		return Accepted
	}
	s.state, s.parts = finished, nil
	if inOrder {
		d.advance()
	}
	sink.Message(int(f.Lane), f.ID, data)
	e.release(f.Lane, d, sink)
	return Accepted
}

// advance moves floor over its message, which is finished.
func (d *reader) advance() {
	d.below += uint64(d.slots.at(0).total)
	d.slots.pop()
	d.floor++
}

// release delivers what was held and now is in order, and moves floor over what is finished.
func (e *Endpoint) release(lane uint8, d *reader, sink Sink) {
	for d.slots.len() > 0 && d.slots.at(0).state >= held {
		s := *d.slots.at(0)
		id := d.floor
		d.advance()
		if s.state == held {
			sink.Message(int(lane), id, s.whole.b)
			s.whole.Release()
		}
	}
}

// takeSkip takes that messages below an id will not come. All is counted before anything is
// delivered, since a panic of the user's may end that.
func (e *Endpoint) takeSkip(f *wire.Frame, sink Sink) Outcome {
	d := e.reader(f.Lane)
	e.release(f.Lane, d, sink) // what a panic of the user's has left
	if f.ID <= d.floor {
		return Accepted
	}
	n := 0
	if d.slots.len() > 0 { // each has a slot then, since some may come late after a panic
		n = int(min(f.ID-d.floor, MaxSpan))
		d.slot(d.floor + uint64(n) - 1)
	}
	complete, begun := uint64(0), d.below
	for i := range n {
		s := d.slots.at(i)
		begun += uint64(s.total)
		if s.state >= held {
			complete += uint64(s.total)
		}
	}
	switch {
	case f.Bytes < begun:
		return Malformed
	case d.seen-begun+f.Bytes > d.granted:
		return Overrun
	}
	for i := range n {
		if s := d.slots.at(i); s.state < held {
			s.state, s.parts = finished, nil
		}
	}
	skipped := f.Bytes - d.below - complete
	d.seen += f.Bytes - begun
	d.below += f.Bytes - begun
	e.grant(f.Lane, d, skipped)
	e.release(f.Lane, d, sink)
	if d.floor < f.ID { // no message from there on has begun
		d.slots.first += f.ID - d.floor
		d.slots.next = d.slots.first
		d.floor = f.ID
	}
	return Accepted
}

// Taken tells that the game has taken n bytes of messages of a lane, which become credit. It makes
// no difference for lanes without credit.
func (e *Endpoint) Taken(lane, n int) {
	if e.table.lanes[lane].Mode.repeats() {
		e.grant(uint8(lane), e.reader(uint8(lane)), uint64(n))
	}
}

// grant grows the credit by n. It is stated when it has grown by a quarter of the first, or when the
// longest message might not be begun without it.
func (e *Endpoint) grant(lane uint8, d *reader, n uint64) {
	l := &e.table.lanes[lane]
	d.taken += n
	d.granted = uint64(l.Credit) + d.taken
	grown := d.granted - d.stated
	if grown > 0 && (grown >= uint64(l.Credit)/4 || d.stated < d.seen+uint64(l.MaxMessage)) {
		d.owesCredit = true
	}
}
