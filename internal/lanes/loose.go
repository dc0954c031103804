package lanes

import "github.com/sallyport/sallyport/internal/wire"

// A loose is the receiving side of a lane of mode Unreliable or Sequenced.
type loose struct {
	delivered recent
	evicted   uint64 // fragments of this id and those below are not put together any more
	partials  [MaxPartials]*assembly
}

// takeLoose takes a frame of a message of mode Unreliable or Sequenced.
func (e *Endpoint) takeLoose(f *wire.Frame, sink Sink) Outcome {
	d := e.reader(f.Lane)
	if d.loose == nil {
		d.loose = new(loose)
	}
	l := d.loose
	switch {
	case l.delivered.has(f.ID):
		return Accepted
	case l.delivered.old(f.ID):
		return Refused
	case e.table.lanes[f.Lane].Mode == Sequenced && f.ID < l.delivered.high:
		return Refused
	}
	data := f.Data
	if f.Type != wire.FrameWhole {
		a := e.gather(l, f)
		if a == nil {
			return Refused
		}
		if len(a.b) != int(f.Total) {
			return Malformed
		}
		if !a.add(f) {
			return Accepted
		}
		data = a.b
		e.discard(l, f.ID, f.ID)
	}
	l.delivered.add(f.ID)
	if e.table.lanes[f.Lane].Mode == Sequenced {
		e.discard(l, 0, f.ID)
	}
	sink.Message(int(f.Lane), f.ID, data)
	return Accepted
}

// gather returns the assembly of a fragment's message; nil if it has given way to younger ones.
func (e *Endpoint) gather(l *loose, f *wire.Frame) *assembly {
	oldest, free := 0, -1
	for i, a := range l.partials {
		switch {
		case a == nil:
			free = i
		case a.id == f.ID:
			return a
		case l.partials[oldest] == nil || a.id < l.partials[oldest].id:
			oldest = i
		}
	}
	if f.ID <= l.evicted || free < 0 && l.partials[oldest].id > f.ID {
		return nil
	}
	if free < 0 {
		e.discard(l, 0, l.partials[oldest].id)
		free = oldest
	}
	parity := e.table.lanes[f.Lane].Parity
	cost := assemblyCost(f.Total, parity)
	for e.partial > 0 && e.partial+cost > max(MaxReassembly, e.table.longest) {
		of, a := e.oldest()
		if of == l && a.id > f.ID {
			return nil
		}
		e.discard(of, a.id, a.id)
	}
	a := newAssembly(f.ID, f.Total, parity)
	e.assemblies++
	a.number = e.assemblies
	l.partials[free] = a
	e.partial += cost
	return a
}

// oldest returns which of the messages that are put together was begun first, and its lane; there
// is one.
func (e *Endpoint) oldest() (of *loose, oldest *assembly) {
	for _, d := range e.readers {
		if d == nil || d.loose == nil {
			continue
		}
		for _, a := range d.loose.partials {
			if a != nil && (oldest == nil || a.number < oldest.number) {
				of, oldest = d.loose, a
			}
		}
	}
	return of, oldest
}

// discard gives up assemblies with ids from low to high. Unless they are complete, fragments that
// come later are refused.
func (e *Endpoint) discard(l *loose, low, high uint64) {
	for i, a := range l.partials {
		if a != nil && low <= a.id && a.id <= high {
			e.partial -= a.cost
			l.partials[i] = nil
			if a.left > 0 {
				l.evicted = max(l.evicted, a.id)
			}
		}
	}
}

// takeLatest takes the value of a key.
func (e *Endpoint) takeLatest(f *wire.Frame, sink Sink) Outcome {
	d := e.reader(f.Lane)
	if f.ID+MaxStale < d.newest {
		return Refused
	}
	old, known := d.keys[f.Key]
	if known && f.ID <= old/2 {
		return Accepted // a newer value took effect
	}
	if !known && len(d.keys) >= MaxKeys && !d.forgetRemoved(e.bodies) {
		return Refused
	}
	if d.keys == nil {
		d.keys = make(map[uint32]uint64)
	}
	d.newest = max(d.newest, f.ID)
	d.keys[f.Key] = f.ID * 2
	if len(f.Data) == 0 {
		d.keys[f.Key]++
	}
	sink.Latest(int(f.Lane), f.Key, f.Data)
	return Accepted
}

// forgetRemoved makes room among the keys and reports whether it could: what is left of a removed
// key matters no more once every older value of it would be stale. Beyond that twice MaxKeys keep
// track of what an honest sender may remove and add within MaxStale ids. All keys are looked through once for a body:
// one has room for hundreds of frames, and what is refused comes again.
func (d *reader) forgetRemoved(body uint64) bool {
	if len(d.keys) < 2*MaxKeys {
		return true
	}
	if d.swept == body {
		return false
	}
	d.swept = body
	for key, id := range d.keys {
		if id&1 != 0 && id/2+MaxStale < d.newest {
			delete(d.keys, key)
		}
	}
	return len(d.keys) < 2*MaxKeys
}
