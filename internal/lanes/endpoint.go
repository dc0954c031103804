package lanes

import (
	"errors"
	"math"
	"time"
)

// Config is what one end knows when its lanes begin. Table is required, and Random; a zero value of
// the rest stands for the default.
type Config struct {
	Table      *Table
	Base       uint64        // the peer's first sequence that may be acknowledged
	Next       uint64        // the next sequence of this end; what it has sent before does not count
	Delay      time.Duration // largest delay of acknowledgements here; zero means 16 ms
	PeerDelay  time.Duration // the peer's; zero means 16 ms
	Floor      int           // bytes a second that are sent on any path; zero means 32,000
	Ceiling    int           // bytes a second; zero means 12,500,000
	Datagrams  int           // a second, at most, those of other kinds included; zero: any number
	PeerCredit []uint32      // first credit of each lane that the peer stated; nil means that of Table
	Random     func() uint64 // chooses the numbers to leave out
}

const (
	defaultDelay   = 16 * time.Millisecond
	defaultFloor   = 32_000
	defaultCeiling = 12_500_000
)

// never is later than every deadline.
const never = time.Duration(math.MaxInt64)

// Sink takes what an endpoint has for its user. Bytes are borrowed for the call. A method may call
// Send, SendLatest and Taken of the same endpoint, and nothing else of it.
type Sink interface {
	// Message takes a message of a lane of mode Unreliable to Ordered.
	Message(lane int, id uint64, b []byte)
	// Latest takes the value of a key; no bytes mean that the key was removed.
	Latest(lane int, key uint32, b []byte)
	// Receipt tells of a message of a lane with Receipts whether it has arrived. False means not
	// known to have arrived.
	Receipt(lane int, id uint64, arrived bool)
}

// Endpoint is one end of a session's lanes. Its methods are not safe for concurrent use. Times
// called now count from any origin that is the same in all calls, and never go back.
type Endpoint struct {
	table   *Table
	senders []*sender // of each lane, nil until it is used
	readers []*reader
	random  func() uint64

	arrivals  arrivals
	flight    flight
	rtt       rtt
	pace      pace
	lies      lies
	repeats   repeats
	delay     time.Duration
	peerDelay time.Duration
	credit    []uint32
	expiry    time.Duration
	lean      bool // trim has nothing to do

	bodies uint64 // how many have come

	// Of messages of mode Unreliable and Sequenced.
	partial    int    // bytes that are put together
	assemblies uint64 // how many have been begun
}

// New returns an endpoint with nothing under way.
func New(c Config) *Endpoint {
	e := &Endpoint{table: c.Table, random: c.Random, credit: c.PeerCredit, expiry: never}
	e.senders, e.readers = make([]*sender, len(c.Table.lanes)), make([]*reader, len(c.Table.lanes))
	e.delay, e.peerDelay = c.Delay, c.PeerDelay
	if e.delay == 0 {
		e.delay = defaultDelay
	}
	if e.peerDelay == 0 {
		e.peerDelay = defaultDelay
	}
	e.pace.floor = float64(c.Floor)
	if c.Floor == 0 {
		e.pace.floor = defaultFloor
	}
	e.Limit(c.Ceiling, c.Datagrams)
	e.Resume(c.Base, c.Next, nil)
	return e
}

// Limit sets Ceiling and Datagrams of Config anew. Resume follows.
func (e *Endpoint) Limit(ceiling, datagrams int) {
	e.pace.ceiling, e.pace.datagrams = float64(ceiling), float64(datagrams)
	if ceiling == 0 {
		e.pace.ceiling = defaultCeiling
	}
}

// Resume begins anew on another connection or address, with the peer's first sequence that may be
// acknowledged from now on, and the next one of this end. What was under way counts as lost, without a signal of congestion;
// messages, credit and receipts go on.
func (e *Endpoint) Resume(base, next uint64, sink Sink) {
	f := &e.flight
	e.arrivals = arrivals{base: base}
	e.lies.out = [leftOutKept]uint64{}
	lost, share := f.lost, f.loss
	for i := range f.packets.len() {
		if p := f.packets.at(i); p.state == flying {
			e.lose(p, sink)
		}
	}
	for f.packets.len() > 0 {
		e.pop()
	}
	f.lost, f.loss = lost, share
	f.next = max(f.next, next)
	f.resume()
	e.rtt = rtt{}
	e.pace.begin()
}

// Moved tells that the peer's address has changed on the same connection: RTT and rate begin anew.
func (e *Endpoint) Moved() {
	e.rtt = rtt{}
	e.pace.begin()
	e.flight.backoff = 0
	e.flight.reorder.begin()
	e.flight.settled = e.flight.next
}

// Close gives up every message, as lost. The endpoint is not to be used any more.
func (e *Endpoint) Close(sink Sink) {
	for e.flight.packets.len() > 0 {
		e.pop()
	}
	for e.repeats.list.len() > 0 {
		e.repeats.list.at(0).m.release()
		e.repeats.list.pop()
	}
	for _, s := range e.senders {
		for s != nil && s.head != nil {
			e.fail(s, s.head, sink)
		}
		for s != nil && s.resend.head != nil {
			s.resend.pop()
		}
	}
	for _, d := range e.readers {
		for d != nil && d.slots.len() > 0 {
			if w := d.slots.at(0).whole; w != nil {
				w.Release()
			}
			d.slots.pop()
		}
	}
}

// Errors of Send and SendLatest. Nothing has been queued then.
var (
	ErrTooLarge = errors.New("lanes: message too large for its lane")
	ErrFull     = errors.New("lanes: queue full")
	ErrLane     = errors.New("lanes: no such lane, or one of another mode")
)

// Lanes returns how many lanes there are.
func (e *Endpoint) Lanes() int { return len(e.table.lanes) }

// Deadline returns when Tick and Append want to be called next, at the latest: now, if there is
// something to send. What waits for the rate then is noted, as by Append.
func (e *Endpoint) Deadline(now time.Duration) time.Duration {
	d := min(e.flight.lossAt, e.probeAt(), e.expiry)
	if at := e.arrivals.due(e.delay); at != never {
		d = min(d, max(at, e.pace.slotAt(now, e.rtt.smoothed())))
	}
	if at := e.repeats.due(); at != never { // they wait for the rate, too
		d = min(d, max(at, e.pace.ready(now, e.rtt.smoothed(), e.flight.bytes, false)))
	}
	switch {
	case !e.waiting(0):
		e.pace.starved = 0
	case e.flight.probes > 0:
		return now
	case e.flight.room():
		d = min(d, e.ready(now))
	}
	return max(d, now)
}

// ready returns when the rate lets something leave that waits.
func (e *Endpoint) ready(now time.Duration) time.Duration {
	rtt, bytes := e.rtt.smoothed(), e.flight.bytes
	at := e.pace.ready(now, rtt, bytes, false)
	if at <= now {
		return at
	}
	e.pace.blocked, e.pace.starved = true, now
	if b := e.table.background; b != 0 && e.waiting(b) {
		at = min(at, e.pace.ready(now, rtt, bytes, true))
	}
	return at
}

// waiting reports whether a lane has something to send that nothing but the rate holds back, not
// counting the lanes of a mask.
func (e *Endpoint) waiting(without uint16) bool {
	for i, s := range e.senders {
		if without>>i&1 != 0 {
			continue
		}
		if s != nil && (s.skip != nil && s.skip.due || s.resend.skim() != nil || e.sendable(i, s)) {
			return true
		}
		if r := e.readers[i]; r != nil && r.owesCredit {
			return true
		}
	}
	return false
}

// Tick does what is due by now: it finds losses, probes, and gives up what is too old.
func (e *Endpoint) Tick(now time.Duration, sink Sink) {
	if now >= e.flight.lossAt {
		e.findLost(now, sink)
	}
	if now >= e.probeAt() {
		e.probe(now, sink)
	}
	if now >= e.expiry {
		e.expire(now, sink)
	}
	e.forget(now)
	if !e.lean && now-max(e.flight.lastAt, e.arrivals.highestAt) > rest && e.flight.packets.len() == 0 {
		e.trim()
	}
}

// trim gives up memory that only a busy endpoint needs.
func (e *Endpoint) trim() {
	e.lean = true
	e.flight.packets.trim()
	e.flight.refs.trim()
	e.repeats.list.trim()
	for _, d := range e.readers {
		if d != nil {
			d.slots.trim()
		}
	}
}
