package lanes

import (
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// Restore returns the endpoint whose snapshot b is, with c of the connection on which it goes on. The
// error is ErrSnapshot, and b may be any bytes.
func Restore(c Config, now time.Duration, b []byte) (*Endpoint, error) {
	e := New(c)
	r := restorer{b: b}
	r.require(r.number() == snapshotVersion && r.number() == uint64(len(c.Table.lanes)))
	for i := 0; i < len(c.Table.lanes) && !r.bad; i++ {
		l := &c.Table.lanes[i]
		r.require(r.number() == uint64(l.Mode))
		has := r.upTo(3)
		if has&1 != 0 {
			e.restoreSender(&r, now, i)
		}
		if has&2 != 0 {
			e.restoreReader(&r, uint8(i))
		}
	}
	if r.bad || len(r.b) != 0 {
		e.Close(nil)
		return nil, ErrSnapshot
	}
	return e, nil
}

func (e *Endpoint) restoreSender(r *restorer, now time.Duration, lane int) {
	l, s := &e.table.lanes[lane], e.sender(lane)
	s.last, s.begun, s.credit, s.delivered = r.number(), r.number(), r.number(), r.number()
	r.require(s.begun <= s.credit || !l.Mode.repeats())
	if id := r.number(); id != 0 {
		s.skip = &skip{id: id, begun: r.number(), from: r.number(), due: true}
		r.require(l.Mode.repeats() && s.skip.from < id && id <= s.last+1)
	}
	if n := r.upTo(MaxKeys); n > 0 || l.Mode == Latest {
		s.keys = make(map[uint32]*outgoing)
		r.require(l.Mode == Latest)
		for range n {
			s.keys[uint32(r.upTo(1<<32-1))] = nil
		}
	}
	before := uint64(0)
	for n := r.upTo(uint64(l.Queue / messageCost)); n > 0 && !r.bad; n-- {
		id, end, left, key := r.number(), r.number(), r.number(), uint32(r.upTo(1<<32-1))
		b := r.bytes(l.MaxMessage)
		r.require(l.Mode >= Reliable && id > 0 && id <= s.last && (id > before || l.Mode == Latest) && int(s.queued)+len(b)+messageCost <= l.Queue)
		if r.bad {
			return
		}
		before = id
		m := s.add(uint8(lane), NewPayload(b), 0)
		m.id, m.key, m.giveUp = id, key, never
		if left != 0 {
			m.giveUp = now + time.Duration(min(left-1, 1<<40))*time.Microsecond
			e.expiry = min(e.expiry, m.giveUp)
		}
		if l.Mode == Latest {
			s.keys[key] = m
			m.want.set(0)
			s.resend.push(m)
			continue
		}
		if end == 0 {
			if s.fresh == nil {
				s.fresh = m
			}
			continue
		}
		r.require(s.fresh == nil && end-1 <= s.begun)
		m.begun, m.end, m.sent = true, end-1, m.parts
		e.restoreFragments(r, s, m)
	}
	r.require(len(s.keys) <= MaxKeys && s.skip.before(s.head))
}

// before reports whether a SKIP, if there is one, lies before the oldest message.
func (k *skip) before(m *outgoing) bool { return k == nil || m == nil || k.id <= m.id }

// restoreFragments takes which fragments of m have arrived and sends the others again.
func (e *Endpoint) restoreFragments(r *restorer, s *sender, m *outgoing) {
	n := int(m.fragments)
	for f := 0; f < n; f += 8 {
		b := byte(0)
		if n > 1 {
			b = r.byte()
		}
		for j := f; j < min(f+8, n); j++ {
			if b>>(j-f)&1 != 0 {
				m.arrived.set(j)
				m.acked++
			} else {
				m.want.set(j)
			}
		}
	}
	r.require(m.acked < m.fragments)
	s.resend.push(m)
}

func (e *Endpoint) restoreReader(r *restorer, lane uint8) {
	l, d := &e.table.lanes[lane], e.reader(lane)
	d.floor, d.below, d.seen, d.taken = r.number(), r.number(), r.number(), r.number()
	evicted, newest := r.number(), r.number()
	d.newest = newest
	d.granted = uint64(l.Credit) + d.taken
	d.owesCredit = l.Mode.repeats()
	sum := d.below
	for n := r.upTo(MaxSpan); n > 0 && !r.bad; n-- {
		s := slot{state: uint8(r.upTo(uint64(finished))), total: uint32(r.upTo(uint64(l.MaxMessage)))}
		sum += uint64(s.total)
		r.require(sum <= d.granted)
		if r.bad {
			break
		}
		switch s.state {
		case absent:
			r.require(s.total == 0)
		case held:
			s.whole = NewPayload(r.bytes(l.MaxMessage))
			r.require(len(s.whole.b) == int(s.total))
		case gathering:
			s.parts = r.assembly(d.floor+uint64(d.slots.len()), s.total)
		}
		d.slots.push(s)
	}
	r.require(d.floor > 0 && (d.slots.len() == 0 || l.Mode.repeats()) && sum == d.seen && d.seen <= d.granted && d.taken <= d.seen)
	for n := r.upTo(2 * MaxKeys); n > 0 && !r.bad; n-- {
		if d.keys == nil {
			d.keys = make(map[uint32]uint64)
		}
		key, id := uint32(r.upTo(1<<32-1)), r.number()
		d.keys[key] = id*2 + r.upTo(1)
		r.require(l.Mode == Latest)
	}
	n := r.upTo(MaxWindow)
	if l.Mode > Sequenced {
		r.require(n == 0)
		return
	}
	d.loose = &loose{evicted: evicted}
	id := newest
	for ; n > 0 && !r.bad; n-- {
		step := r.upTo(MaxWindow)
		r.require(step < id && newest-id+step < MaxWindow)
		if r.bad {
			return
		}
		id -= step
		d.loose.delivered.add(id)
	}
}

// assembly reads a message of which fragments are missing.
func (r *restorer) assembly(id uint64, total uint32) *assembly {
	if total <= wire.MaxFragment {
		r.bad = true
		return nil
	}
	a := newAssembly(id, total, 0)
	for i := range wire.Fragments(int(total)) {
		if r.upTo(1) == 1 {
			a.add(&wire.Frame{Type: wire.FrameFragment, Index: uint16(i), Data: r.take(wire.FragmentLen(int(total), i))})
		}
	}
	r.require(a.left > 0)
	return a
}

// A restorer reads the fields of a snapshot; once something is wrong it is bad and returns zeros.
type restorer struct {
	b   []byte
	bad bool
}

func (r *restorer) require(ok bool) { r.bad = r.bad || !ok }

func (r *restorer) number() uint64 {
	v, n := wire.ParseVarint(r.b)
	if r.bad || n == 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *restorer) upTo(limit uint64) uint64 {
	v := r.number()
	if v > limit {
		r.bad = true
		return 0
	}
	return v
}

func (r *restorer) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *restorer) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *restorer) bytes(limit int) []byte { return r.take(int(r.upTo(uint64(limit)))) }
