package lanes

import (
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// acknowledge takes an ACK. It returns Accepted, or what is wrong with it, and then it has no
// effect.
func (e *Endpoint) acknowledge(now time.Duration, a *wire.Ack, sink Sink) Outcome {
	f := &e.flight
	var space [wire.MaxAckRanges]wire.Range
	highest := restore(a.Highest, f.next-1)
	if highest >= f.next {
		return e.lies.count(highest)
	}
	ranges := a.Ranges(space[:0], highest)
	if ranges == nil {
		return Malformed
	}
	if o := e.lies.check(ranges); o != Accepted {
		return o
	}
	before := f.delivered
	var newest packet
	eliciting := false
	for _, r := range ranges {
		for i := f.find(r.High+1) - 1; i >= 0; i-- {
			p := f.packets.at(i)
			if p.seq < r.Low {
				break
			}
			if p.state == acked {
				continue
			}
			eliciting = eliciting || p.eliciting
			if newest.seq == 0 {
				newest = *p
			}
			e.arrive(now, i, p, sink)
		}
	}
	if newest.seq == 0 {
		return Accepted
	}
	if newest.seq == highest && eliciting && highest > f.largest && highest >= f.settled && newest.state == flying {
		delay := min(time.Duration(a.Delay)*wire.AckDelayUnit, e.peerDelay)
		e.rtt.add(now, now-newest.at, delay)
		e.pace.sample(max(now-newest.at-delay, e.rtt.base()))
	}
	f.largest = max(f.largest, highest)
	if eliciting {
		f.backoff, f.probes = 0, 0
	}
	e.findLost(now, sink)
	if e.pace.acked(now, f, &e.rtt, newest.seq, int(f.delivered-before)) {
		f.reorder.round()
	}
	e.forget(now)
	return Accepted
}

// restore returns the sequence nearest to sent whose low 32 bits are low.
func restore(low uint32, sent uint64) uint64 {
	d := int64(int32(low - uint32(sent)))
	if d < 0 && uint64(-d) > sent {
		return sent + uint64(uint32(d))
	}
	return sent + uint64(d)
}

// arrive notes that the datagram at position i has arrived.
func (e *Endpoint) arrive(now time.Duration, i int, p *packet, sink Sink) {
	f := &e.flight
	late := p.state == missing
	if late {
		f.lost--
		f.loss = max(0, f.loss-1.0/64)
		e.pace.lost = max(0, e.pace.lost-1)
		f.reorder.late(max(0, f.find(f.largest)-i), now-p.at-max(e.rtt.smooth, e.rtt.latest), e.rtt.smoothed())
	}
	f.settle(p, acked)
	f.loss -= f.loss / 64
	e.pace.got++
	f.delivered += uint64(p.size)
	e.arrivals.known = max(e.arrivals.known, p.known)
	for n := range uint64(p.refs) {
		r := f.refs.number(p.firstRef + n)
		e.refArrived(r, late, sink)
		if r.m != nil {
			r.m.release()
			r.m = nil
		}
	}
}

// findLost counts as lost what later datagrams have overtaken by too much.
func (e *Endpoint) findLost(now time.Duration, sink Sink) {
	f := &e.flight
	f.lossAt = never
	last := f.find(f.largest)
	wait := max(e.rtt.smoothed(), e.rtt.latest)
	wait += f.reorder.window(wait)
	for i := range last {
		p := f.packets.at(i)
		if p.state != flying {
			continue
		}
		if last-i >= f.reorder.packets || now-p.at >= wait {
			e.lose(p, sink)
		} else {
			f.lossAt = min(f.lossAt, p.at+wait)
		}
	}
}

// lose counts p as lost: what is still wanted of it is sent again.
func (e *Endpoint) lose(p *packet, sink Sink) {
	f := &e.flight
	f.settle(p, missing)
	f.lost++
	f.loss += (1 - f.loss) / 64
	e.pace.lost++
	for n := range uint64(p.refs) {
		e.refLost(f.refs.number(p.firstRef+n), sink)
	}
}

// refArrived notes that r has arrived, late after it had been counted as lost.
func (e *Endpoint) refArrived(r *ref, late bool, sink Sink) {
	s := e.senders[r.lane]
	switch r.kind {
	case refSkip:
		if k := s.skip; k != nil && r.id == k.id {
			s.skip = nil
		} else if k != nil {
			k.from = max(k.from, r.id)
		}
	case refMessage:
		m := r.m
		if m == nil || m.done || m.id != r.id || m.arrived.has(int(r.index)) {
			return
		}
		if e.table.lanes[r.lane].Mode == Latest {
			s.latestArrived(m)
			return
		}
		if late && e.table.lanes[r.lane].Mode < Reliable {
			m.lost--
		}
		m.arrived.set(int(r.index))
		m.want.clear(int(r.index))
		if m.acked++; m.acked == m.fragments {
			s.delivered = max(s.delivered, m.id)
			s.remove(m)
			e.receipt(int(r.lane), r.id, true, sink)
		}
	}
}

func (e *Endpoint) refLost(r *ref, sink Sink) {
	s := e.senders[r.lane]
	switch r.kind {
	case refSkip:
		if k := s.skip; k != nil && r.id == k.id {
			k.due = true
		}
	case refCredit:
		d := e.readers[r.lane]
		d.owesCredit = d.owesCredit || r.id == d.stated
	case refMessage:
		m := r.m
		if m == nil || m.done || m.id != r.id {
			return
		}
		if e.table.lanes[r.lane].Mode < Reliable {
			if m.lost++; m.lost > m.parts-m.fragments {
				e.fail(s, m, sink)
			}
			return
		}
		if m.copies > 0 {
			m.copies--
		}
		if m.copies == 0 || m.fragments > 1 {
			s.again(m, int(r.index))
		}
	}
}

// again sends a fragment again, unless it has arrived.
func (s *sender) again(m *outgoing, i int) {
	if !m.arrived.has(i) {
		m.want.set(i)
		s.resend.push(m)
	}
}
