package lanes

import (
	"errors"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// A snapshot carries an endpoint to the next process, but for what is under way and lanes of mode
// Unreliable and Sequenced, whose messages are stale there. Integers have variable length.
//
//	version, number of lanes
//	for each lane: its mode, and 1 if there follows a sender, plus 2 if a reader
//	  sender: last, begun, credit, delivered; SKIP's id, and unless that is 0 its bytes and oldest id
//	          number of keys, each key; number of messages, each:
//	            id, bytes begun with it or 0, age left in µs or 0, key, length, bytes
//	            if it has begun and has more than one fragment: which have arrived, a bit each
//	  reader: floor, below, seen, taken; evicted, newest
//	          number of slots, each: state, total; if it is held, bytes
//	            if it is gathering: a byte for each fragment, 1 if its bytes follow
//	          number of keys, each: key, newest id, 1 if it was removed
//	          number of ids delivered, each less than the one before by so many

// snapshotVersion is the first byte of a snapshot.
const snapshotVersion = 1

// ErrSnapshot is returned for bytes that are not the snapshot of an endpoint with the same lanes.
var ErrSnapshot = errors.New("lanes: bad snapshot")

// AppendSnapshot appends what another process needs to go on, and reports whether that takes at most
// limit bytes; otherwise nothing is appended and every unfinished message is lost. Messages that
// have not begun give way first: they get a receipt that says so, and their ids are used again. The
// endpoint is not to be used any more.
func (e *Endpoint) AppendSnapshot(dst []byte, now time.Duration, limit int, sink Sink) ([]byte, bool) {
	start := len(dst)
	e.dropLoose(sink)
	for {
		w := writer{b: dst}
		w.number(snapshotVersion)
		w.number(uint64(len(e.table.lanes)))
		for i := range e.table.lanes {
			e.writeLane(&w, now, i)
		}
		if len(w.b)-start <= limit {
			return w.b, true
		}
		dst = w.b[:start]
		if !e.dropFresh(sink) {
			return dst, false
		}
	}
}

// dropLoose gives up messages that would be stale.
func (e *Endpoint) dropLoose(sink Sink) {
	for i, s := range e.senders {
		for s != nil && e.table.lanes[i].Mode <= Sequenced && s.head != nil {
			e.fail(s, s.head, sink)
		}
	}
}

// dropFresh gives up the newest half of the messages of the lane that has the most bytes which have
// not begun, and reports whether there was one.
func (e *Endpoint) dropFresh(sink Sink) bool {
	var most *sender
	size := 0
	for i, s := range e.senders {
		if s == nil || !e.table.lanes[i].Mode.repeats() {
			continue
		}
		n := 0
		for m := s.tail; m != nil && !m.begun; m = m.prev {
			n += len(m.payload.b) + messageCost
		}
		if n > size {
			most, size = s, n
		}
	}
	for n := 0; n <= size/2 && most != nil; {
		m := most.tail
		if m == nil || m.begun {
			break
		}
		n += len(m.payload.b) + messageCost
		most.last = m.id - 1
		e.fail(most, m, sink)
	}
	return most != nil
}

func (e *Endpoint) writeLane(w *writer, now time.Duration, i int) {
	s, d := e.senders[i], e.readers[i]
	has := uint64(0)
	if s != nil {
		has |= 1
	}
	if d != nil {
		has |= 2
	}
	w.number(uint64(e.table.lanes[i].Mode))
	w.number(has)
	if s != nil {
		s.write(w, now)
	}
	if d != nil {
		d.write(w)
	}
}

func (s *sender) write(w *writer, now time.Duration) {
	w.numbers(s.last, s.begun, s.credit, s.delivered)
	if k := s.skip; k != nil {
		w.numbers(k.id, k.begun, k.from)
	} else {
		w.number(0)
	}
	w.number(uint64(len(s.keys)))
	for key := range s.keys {
		w.number(uint64(key))
	}
	w.number(uint64(s.messages))
	for m := s.head; m != nil; m = m.next {
		end, left := uint64(0), uint64(0)
		if m.begun {
			end = m.end + 1
		}
		if m.giveUp != never {
			left = uint64(max(m.giveUp-now, 0)/time.Microsecond) + 1
		}
		w.numbers(m.id, end, left, uint64(m.key))
		w.bytes(m.payload.b)
		for f := 0; m.begun && m.fragments > 1 && f < int(m.fragments); f += 8 {
			var b byte
			for j := f; j < min(f+8, int(m.fragments)); j++ {
				if m.arrived.has(j) {
					b |= 1 << (j - f)
				}
			}
			w.b = append(w.b, b)
		}
	}
}

func (d *reader) write(w *writer) {
	w.numbers(d.floor, d.below, d.seen, d.taken)
	if d.loose != nil {
		evicted := d.loose.evicted
		for _, a := range d.loose.partials {
			if a != nil {
				evicted = max(evicted, a.id) // its fragments have been acknowledged
			}
		}
		w.numbers(evicted, d.loose.delivered.high)
	} else {
		w.numbers(0, d.newest)
	}
	w.number(uint64(d.slots.len()))
	for i := range d.slots.len() {
		s := d.slots.at(i)
		w.numbers(uint64(s.state), uint64(s.total))
		switch s.state {
		case held:
			w.bytes(s.whole.b)
		case gathering:
			for f := range wire.Fragments(int(s.total)) {
				if !s.parts.have.has(f) {
					w.number(0)
					continue
				}
				w.number(1)
				from := f * wire.FragmentSize(int(s.total))
				w.b = append(w.b, s.parts.b[from:from+wire.FragmentLen(int(s.total), f)]...)
			}
		}
	}
	w.number(uint64(len(d.keys)))
	for key, id := range d.keys {
		w.numbers(uint64(key), id/2, id&1)
	}
	if d.loose == nil {
		w.number(0)
		return
	}
	w.number(uint64(d.loose.delivered.count()))
	last := d.loose.delivered.high
	for id := last; id > 0 && !d.loose.delivered.old(id); id-- {
		if d.loose.delivered.has(id) {
			w.number(last - id)
			last = id
		}
	}
}

// A writer appends the fields of a snapshot.
type writer struct{ b []byte }

func (w *writer) number(v uint64) { w.b = wire.AppendVarint(w.b, v) }

func (w *writer) numbers(vs ...uint64) {
	for _, v := range vs {
		w.number(v)
	}
}

func (w *writer) bytes(b []byte) {
	w.number(uint64(len(b)))
	w.b = append(w.b, b...)
}
