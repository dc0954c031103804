package lanes

import (
	"sort"
	"time"
)

// States of a datagram that was sent.
const (
	flying  uint8 = iota
	acked         // reported by the peer
	missing       // counted as lost; kept for a while, since it may only be late
)

// A packet is a datagram that was sent.
type packet struct {
	seq       uint64
	at        time.Duration
	known     uint64 // what the peer knows once it has this datagram: everything reported up to here
	firstRef  uint64 // number of its first ref
	refs      uint16
	size      uint16 // bytes on the link; zero if it elicits no acknowledgement
	state     uint8
	eliciting bool
}

// Kinds of refs.
const (
	refMessage uint8 = iota
	refSkip
	refCredit
)

// A ref is what a datagram carried.
type ref struct {
	m     *outgoing // of refMessage, which holds it; nil once it has been dealt with
	id    uint64    // of the message; of refSkip the id, of refCredit the bytes
	index uint16
	lane  uint8
	kind  uint8
}

// The flight of an endpoint is the datagrams whose fate is not known, in the order they were sent.
type flight struct {
	packets   ring[packet]
	refs      ring[ref]
	next      uint64 // one above the highest sequence sent
	settled   uint64 // sequences below it have left on another path, and say nothing of this one's RTT
	bytes     int    // that are under way
	eliciting int    // datagrams under way that elicit an acknowledgement
	lastAt    time.Duration
	lossAt    time.Duration // when the next datagram counts as lost by time
	largest   uint64        // highest sequence acknowledged
	backoff   uint8         // probes since the last acknowledgement
	probes    uint8         // datagrams that may leave beyond the rate
	reorder   reorder
	loss      float64 // share of datagrams lost, over the last 64 or so
	lost      uint64  // datagrams counted as lost, less those that were only late
	delivered uint64  // bytes acknowledged
}

func (f *flight) resume() {
	*f = flight{
		packets: f.packets, refs: f.refs, next: f.next, lossAt: never,
		lost: f.lost, delivered: f.delivered, loss: f.loss,
	}
	f.reorder.begin()
}

// push records a datagram, whose refs follow.
func (f *flight) push(p packet) *packet {
	p.firstRef = f.refs.next
	f.next = max(f.next, p.seq+1)
	f.packets.push(p)
	return f.packets.number(f.packets.next - 1)
}

// room reports whether one more datagram can be remembered, and probes besides.
func (f *flight) room() bool { return f.packets.len() < maxOutstanding-8 }

// depart counts p, whose refs are complete, as under way.
func (f *flight) depart(p *packet) {
	if p.eliciting {
		f.bytes += int(p.size)
		f.eliciting++
		f.lastAt = p.at
	}
}

// settle takes p off what is under way.
func (f *flight) settle(p *packet, state uint8) {
	if p.state == flying && p.eliciting {
		f.bytes -= int(p.size)
		f.eliciting--
	}
	p.state = state
}

// find returns the position of the first datagram with a sequence of at least seq.
func (f *flight) find(seq uint64) int {
	return sort.Search(f.packets.len(), func(i int) bool { return f.packets.at(i).seq >= seq })
}

// unreported notes that no datagram under way reports seq, of those that report later ones. What
// they report grows with the order in which they were sent.
func (f *flight) unreported(seq uint64) {
	for i := f.packets.len() - 1; i >= 0; i-- {
		switch p := f.packets.at(i); {
		case p.known >= seq:
			p.known = seq - 1
		case p.known > 0:
			return
		}
	}
}

// pop forgets the oldest datagram.
func (e *Endpoint) pop() {
	p := e.flight.packets.at(0)
	for range p.refs {
		if r := e.flight.refs.at(0); r.m != nil {
			r.m.release()
		}
		e.flight.refs.pop()
	}
	e.flight.packets.pop()
}

// forget forgets the oldest datagrams whose fate is known, or does not matter any more.
func (e *Endpoint) forget(now time.Duration) {
	f := &e.flight
	for f.packets.len() > 0 {
		p := f.packets.at(0)
		switch p.state {
		case flying:
			if p.eliciting || now-p.at < time.Second && f.packets.len() < MaxWindow {
				return
			}
		case missing:
			if now-p.at < 3*e.rtt.smoothed()+burst && f.packets.len() < MaxWindow {
				return
			}
		}
		e.pop()
	}
	if f.packets.len() == 0 {
		f.lossAt = never
	}
}

// Sent notes that a datagram of another kind than FRAMES has left under seq, with a body of n bytes:
// it is charged to the rate, and the peer reports whether it has come.
func (e *Endpoint) Sent(now time.Duration, seq uint64, n int) {
	e.forget(now)
	e.pace.charge(now, e.rtt.smoothed(), n)
	if e.flight.packets.len() >= MaxWindow {
		e.flight.next = max(e.flight.next, seq+1)
		return
	}
	e.flight.push(packet{seq: seq, at: now})
}

// Yields reports whether DATA with a body of n bytes is to give way now, that is, not to leave: lanes
// have something to send, be it an ACK, or under way, and other kinds have used up what they may take
// of what the peer takes in a second.
func (e *Endpoint) Yields(now time.Duration, n int) bool {
	p := &e.pace
	if p.datagrams == 0 || e.flight.eliciting == 0 && e.arrivals.owed == 0 && !e.waiting(0) {
		return false
	}
	p.refill(now, e.rtt.smoothed())
	return p.quota.datagrams < 1 || p.quota.bytes < min(float64(n), p.ceiling)
}

// Lost returns how many datagrams have been lost on the way to the peer, and which share of those
// sent lately.
func (e *Endpoint) Lost() (datagrams uint64, share float64) { return e.flight.lost, e.flight.loss }
