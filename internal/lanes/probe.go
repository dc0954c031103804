package lanes

import "time"

// probeAt returns when a probe is due: nothing has been heard of what is under way.
func (e *Endpoint) probeAt() time.Duration {
	f := &e.flight
	if f.eliciting == 0 {
		return never
	}
	wait := e.rtt.pto() + e.peerDelay
	return f.lastAt + min(wait<<min(f.backoff, 10), max(maxPTO, wait))
}

// probe sends what is under way for the longest time once more, in up to two datagrams beyond the
// rate. If nothing under way is worth that, it counts as lost.
func (e *Endpoint) probe(now time.Duration, sink Sink) {
	f := &e.flight
	f.backoff = min(f.backoff+1, 10)
	f.lastAt = now
	found := 0
	for i := 0; i < f.packets.len() && found < 2; i++ {
		p := f.packets.at(i)
		if p.state != flying || !p.eliciting {
			continue
		}
		if e.repeatRefs(p) {
			found++
		}
	}
	f.probes = 2
	if found > 0 || e.waiting(0) {
		return
	}
	f.probes = 0
	for i := range f.packets.len() {
		if p := f.packets.at(i); p.state == flying && p.eliciting {
			e.lose(p, sink)
		}
	}
	e.forget(now)
}

// repeatRefs marks what p carries as wanted and reports whether there was anything.
func (e *Endpoint) repeatRefs(p *packet) (found bool) {
	for n := range uint64(p.refs) {
		r := e.flight.refs.number(p.firstRef + n)
		s := e.senders[r.lane]
		switch r.kind {
		case refSkip:
			if s.skip != nil {
				s.skip.due, found = true, true
			}
		case refCredit:
			e.readers[r.lane].owesCredit = true
			found = true
		case refMessage:
			if m := r.m; m != nil && !m.done && m.id == r.id && e.table.lanes[r.lane].Mode >= Reliable && !m.arrived.has(int(r.index)) && !m.want.has(int(r.index)) {
				s.again(m, int(r.index))
				found = true
			}
		}
	}
	return found
}
