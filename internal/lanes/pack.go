package lanes

import (
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// A packer builds the body of one datagram.
type packer struct {
	b         []byte
	start     int
	now       time.Duration
	full      uint16 // lanes whose next frame does not fit
	refs      uint16
	eliciting bool
}

func (k *packer) room() int { return wire.MaxBody - (len(k.b) - k.start) }

// Append appends the body of the datagram that is to be sent under seq, if one is due: what has been
// sent under seq is then remembered, so it must leave. Otherwise it returns dst and false, and seq
// is still to be used.
func (e *Endpoint) Append(dst []byte, now time.Duration, seq uint64) ([]byte, bool) {
	f, rtt := &e.flight, e.rtt.smoothed()
	slot := e.pace.slotAt(now, rtt) <= now
	alone := slot && e.arrivals.owed > 0 && now >= max(e.arrivals.due(e.delay), e.arrivals.alone+ackSpacing)
	room := slot && f.room()
	free := f.probes > 0 || room && e.pace.may(now, rtt, f.bytes, false)
	waiting := e.waiting(0)
	k := packer{b: dst, start: len(dst), now: now}
	if waiting && !free {
		e.pace.blocked = true
		if e.table.background != 0 && room && e.waiting(e.table.background) && e.pace.may(now, rtt, f.bytes, true) {
			free, k.full = true, e.table.background
		}
	}
	data := free && (waiting || e.repeats.due() <= now)
	if !data && !alone {
		return dst, false
	}

	e.lean = false
	p := packet{seq: seq, at: now}
	if e.arrivals.owed > 0 {
		p.known = e.appendAck(&k, data)
	}
	entry := f.push(p)
	if data {
		e.appendControl(&k)
		e.appendMessages(&k)
		e.appendRepeats(&k) // in the room that is left
	}
	if len(k.b) == k.start {
		f.packets.next-- // nothing of what waits fits the rules of its lane
		return dst, false
	}
	entry.refs, entry.eliciting = k.refs, k.eliciting
	size := len(k.b) - k.start
	if k.eliciting {
		entry.size = uint16(size + overhead)
		if f.probes > 0 {
			f.probes--
		}
	} else {
		e.arrivals.alone = now
	}
	f.depart(entry)
	e.pace.spend(now, rtt, size, !k.eliciting)
	return k.b, true
}

// appendAck appends an ACK and returns up to which sequence it reports everything.
func (e *Endpoint) appendAck(k *packer, data bool) (known uint64) {
	a := &e.arrivals
	var space [wire.MaxAckRanges]wire.Range
	ranges := a.ranges(space[:0])
	if len(ranges) == 0 {
		return 0
	}
	limit := wire.MaxBody
	if data {
		limit = ackRoom
	}
	var n int
	k.b, n = wire.AppendAck(k.b, ranges, k.now-a.highestAt, limit)
	a.owed = 0
	if n < len(ranges) || n == wire.MaxAckRanges {
		return 0
	}
	return ranges[0].High
}

// put appends f, which fits, and remembers what it carries.
func (e *Endpoint) put(k *packer, f *wire.Frame, r ref) {
	k.b = f.AppendTo(k.b)
	r.lane = f.Lane
	if r.m != nil {
		r.m.holds++
	}
	e.flight.refs.push(r)
	k.refs++
	k.eliciting = true
}

// appendControl appends SKIP and CREDIT of all lanes.
func (e *Endpoint) appendControl(k *packer) {
	for i := range e.table.lanes {
		if s := e.senders[i]; s != nil && s.skip != nil && s.skip.due {
			f := wire.Frame{Type: wire.FrameSkip, Lane: uint8(i), ID: s.skip.id, Bytes: s.skip.begun}
			if f.Len() <= k.room() {
				e.put(k, &f, ref{kind: refSkip, id: s.skip.id})
				s.skip.due = false
			}
		}
		if d := e.readers[i]; d != nil && d.owesCredit {
			f := wire.Frame{Type: wire.FrameCredit, Lane: uint8(i), Bytes: d.granted}
			if f.Len() <= k.room() {
				e.put(k, &f, ref{kind: refCredit, id: d.granted})
				d.stated, d.owesCredit = d.granted, false
			}
		}
	}
}

// appendMessages fills the datagram, lane by lane in the order of priority, and by weight among
// lanes of one priority.
func (e *Endpoint) appendMessages(k *packer) {
	for from := 0; from < len(e.table.order); {
		to := from + 1
		for to < len(e.table.order) && e.priority(to) == e.priority(from) {
			to++
		}
		turn, full := uint64(0), k.full
		for {
			lane := e.poorest(k, e.table.order[from:to], turn)
			if lane < 0 {
				break
			}
			before, s := len(k.b), e.senders[lane]
			if k.full == full { // else this is room in which the next frame of a lane with less does not fit
				turn = s.share
			}
			if !e.appendFrame(k, lane) {
				k.full |= 1 << lane
				continue
			}
			s.share = max(s.share, turn+uint64(len(k.b)-before)*256/uint64(e.table.lanes[lane].Weight))
		}
		from = to
	}
}

func (e *Endpoint) priority(i int) uint8 { return e.table.lanes[e.table.order[i]].Priority }

// poorest returns the lane that has had the least for its weight of those that may send something,
// -1 if none may. The others keep up with the share of the lane whose turn was last: what a lane
// does not use, for want of messages or of credit, it does not get later.
func (e *Endpoint) poorest(k *packer, lanes []uint8, turn uint64) int {
	lane := -1
	for _, i := range lanes {
		s := e.senders[i]
		if s == nil || k.full>>i&1 != 0 {
			continue
		}
		if s.resend.skim() == nil && !e.sendable(int(i), s) {
			s.share = max(s.share, turn)
			continue
		}
		if lane < 0 || s.share < e.senders[lane].share {
			lane = int(i)
		}
	}
	return lane
}

// firstShare returns what a lane that is used from now on counts as having had: the least of those
// of its priority.
func (e *Endpoint) firstShare(lane int) (least uint64) {
	found := false
	for i, o := range e.senders {
		if o != nil && e.table.lanes[i].Priority == e.table.lanes[lane].Priority && (!found || o.share < least) {
			least, found = o.share, true
		}
	}
	return least
}

// sendable reports whether a fragment may leave that has not been sent yet.
func (e *Endpoint) sendable(lane int, s *sender) bool {
	m := s.fresh
	if m == nil || m.begun || !e.table.lanes[lane].Mode.repeats() {
		return m != nil
	}
	return m.id < s.oldest()+MaxSpan && s.begun+uint64(len(m.payload.b)) <= s.credit
}

// appendFrame appends the lane's next frame, what was lost first, and reports whether it fitted.
func (e *Endpoint) appendFrame(k *packer, lane int) bool {
	s := e.senders[lane]
	if m := s.resend.head; m != nil {
		if e.table.lanes[lane].Mode == Latest {
			s.renew(m)
		}
		i := 0
		for i < int(m.fragments) && !m.want.has(i) {
			i++
		}
		if i < int(m.fragments) {
			if !e.appendPart(k, m, i) {
				return false
			}
			m.want.clear(i)
		}
		for i < int(m.fragments) && !m.want.has(i) {
			i++
		}
		if i == int(m.fragments) {
			s.resend.pop()
		}
		return true
	}
	m := s.fresh
	if !e.appendPart(k, m, int(m.sent)) {
		return false
	}
	if !m.begun {
		m.begun = true
		s.begun += uint64(len(m.payload.b))
		m.end = s.begun
		if e.table.lanes[lane].Insure && e.table.lanes[lane].Mode.repeats() {
			e.insure(k.now, m)
		}
	}
	if m.sent++; m.sent == m.parts {
		s.fresh = m.next
	}
	return true
}

// appendPart appends a fragment of m and reports whether it fitted.
func (e *Endpoint) appendPart(k *packer, m *outgoing, i int) bool {
	f := wire.Frame{Type: wire.FrameWhole, Lane: m.lane, ID: m.id}
	switch {
	case i >= int(m.fragments):
		f.Type, f.Index, f.Total = wire.FrameParity, uint16(i)-m.fragments, uint32(len(m.payload.b))
		f.Data = m.payload.parityFrame(int(m.parts-m.fragments), int(f.Index))
	case e.table.lanes[m.lane].Mode == Latest:
		f.Type, f.Key = wire.FrameLatest, m.key
	case m.fragments > 1:
		f.Type, f.Index, f.Total = wire.FrameFragment, uint16(i), uint32(len(m.payload.b))
	}
	if i < int(m.fragments) {
		f.Data = m.part(i)
	}
	if f.Len() > k.room() {
		return false
	}
	e.put(k, &f, ref{m: m, id: m.id, index: uint16(i)})
	m.copies = min(m.copies, 254) + 1
	return true
}
