package lanes

import (
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// A sender is the sending side of a lane.
type sender struct {
	head, tail *outgoing // unfinished messages, from the oldest
	fresh      *outgoing // the oldest of which a fragment has not been sent yet
	resend     resends
	keys       map[uint32]*outgoing // mode Latest: nil once the value has arrived
	last       uint64               // the newest id
	begun      uint64               // bytes of reliable messages that have been begun, in all
	credit     uint64               // the most that may have been begun
	delivered  uint64               // the newest id known to have arrived
	share      uint64               // bytes sent by weight, but for the room that a lane with less has left
	skip       *skip                // while SKIP is not acknowledged
	queued     int32                // bytes
	messages   int32
}

// A skip is the newest SKIP of a lane.
type skip struct {
	id    uint64 // messages below it will not come
	begun uint64 // bytes begun on the lane up to it
	from  uint64 // the oldest id that the peer may wait for
	due   bool
}

// oldest returns the oldest id that is unfinished as far as the peer may know.
func (s *sender) oldest() uint64 {
	if s.skip != nil {
		return s.skip.from
	}
	if s.head != nil {
		return s.head.id
	}
	return s.last + 1
}

func (e *Endpoint) sender(lane int) *sender {
	s := e.senders[lane]
	if s == nil {
		s = &sender{credit: uint64(e.table.lanes[lane].Credit), share: e.firstShare(lane)}
		if lane < len(e.credit) {
			s.credit = uint64(e.credit[lane])
		}
		e.senders[lane] = s
	}
	return s
}

// Send queues a copy of b as the lane's next message and returns its id. On lanes of mode
// Unreliable and Sequenced a full queue drops its oldest message; on others the error is ErrFull.
func (e *Endpoint) Send(now time.Duration, lane int, b []byte, sink Sink) (id uint64, err error) {
	if err := e.table.Takes(lane, len(b)); err != nil {
		return 0, err
	}
	if err := e.makeRoom(lane, len(b), sink); err != nil {
		return 0, err
	}
	return e.enqueue(now, lane, NewPayload(b)), nil
}

// SendPayload is Send of bytes that other endpoints have, too. It takes a reference of its own.
func (e *Endpoint) SendPayload(now time.Duration, lane int, p *Payload, sink Sink) (id uint64, err error) {
	if err := e.table.Takes(lane, len(p.b)); err != nil {
		return 0, err
	}
	if err := e.makeRoom(lane, len(p.b), sink); err != nil {
		return 0, err
	}
	return e.enqueue(now, lane, p.retain()), nil
}

// Takes reports, by ErrLane or ErrTooLarge, whether Send refuses a message of n bytes on a lane.
func (t *Table) Takes(lane, n int) error {
	switch {
	case lane < 0 || lane >= len(t.lanes) || t.lanes[lane].Mode == Latest:
		return ErrLane
	case n > t.lanes[lane].MaxMessage:
		return ErrTooLarge
	}
	return nil
}

func (e *Endpoint) makeRoom(lane, n int, sink Sink) error {
	l, s := &e.table.lanes[lane], e.sender(lane)
	for int(s.queued)+n+messageCost > l.Queue {
		if l.Mode.repeats() {
			return ErrFull
		}
		e.fail(s, s.head, sink)
	}
	return nil
}

func (e *Endpoint) enqueue(now time.Duration, lane int, p *Payload) uint64 {
	l, s := &e.table.lanes[lane], e.sender(lane)
	s.last++
	m := s.add(uint8(lane), p, l.parityOf(len(p.b)))
	m.id = s.last
	if s.fresh == nil {
		s.fresh = m
	}
	m.giveUp = never
	if l.MaxAge > 0 {
		m.giveUp = now + l.MaxAge
		e.expiry = min(e.expiry, m.giveUp)
	}
	return m.id
}

// add puts a message at the end of the lane and returns it; the lane holds it.
func (s *sender) add(lane uint8, p *Payload, parity int) *outgoing {
	m := outgoings.Get().(*outgoing)
	m.payload, m.lane, m.holds = p, lane, 1
	m.fragments = uint16(wire.Fragments(len(p.b)))
	m.parts = m.fragments + uint16(parity)
	m.arrived.grow(int(m.parts))
	m.want.grow(int(m.parts))
	if m.prev = s.tail; m.prev != nil {
		m.prev.next = m
	} else {
		s.head = m
	}
	s.tail = m
	s.queued += int32(len(p.b) + messageCost)
	s.messages++
	return m
}

// remove takes m out of the lane: it has arrived, or nothing more is done for it.
func (s *sender) remove(m *outgoing) {
	if m.done {
		return
	}
	if s.fresh == m {
		s.fresh = m.next
	}
	if m.prev != nil {
		m.prev.next = m.next
	} else {
		s.head = m.next
	}
	if m.next != nil {
		m.next.prev = m.prev
	} else {
		s.tail = m.prev
	}
	m.prev, m.next = nil, nil
	s.queued -= int32(len(m.payload.b) + messageCost)
	s.messages--
	m.drop()
	m.release()
}

// fail removes a message that is not known to have arrived.
func (e *Endpoint) fail(s *sender, m *outgoing, sink Sink) {
	lane, id := int(m.lane), m.id
	s.remove(m)
	e.receipt(lane, id, false, sink)
}

func (e *Endpoint) receipt(lane int, id uint64, arrived bool, sink Sink) {
	if l := &e.table.lanes[lane]; l.Receipts && l.Mode != Latest && sink != nil {
		sink.Receipt(lane, id, arrived)
	}
}

// expire gives up what is too old. On one lane messages grow old in the order of their ids.
func (e *Endpoint) expire(now time.Duration, sink Sink) {
	e.expiry = never
	for i, s := range e.senders {
		if s == nil || e.table.lanes[i].MaxAge == 0 {
			continue
		}
		for s.head != nil && s.head.giveUp <= now {
			m := s.head
			if e.table.lanes[i].Mode.repeats() {
				s.skipTo(m)
			}
			e.fail(s, m, sink)
		}
		if s.head != nil {
			e.expiry = min(e.expiry, s.head.giveUp)
		}
	}
}

// skipTo notes that m, the oldest message, is given up, and tells the peer.
func (s *sender) skipTo(m *outgoing) {
	if s.skip == nil {
		s.skip = &skip{from: m.id}
	}
	s.skip.id, s.skip.due, s.skip.begun = m.id+1, true, s.begun
	if m.begun {
		s.skip.begun = m.end
	}
}

// Delivered returns the newest id of the lane that is known to have arrived, zero before the first.
func (e *Endpoint) Delivered(lane int) uint64 {
	if s := e.senders[lane]; s != nil {
		return s.delivered
	}
	return 0
}

// Pending returns how much of the lane has neither arrived nor been given up.
func (e *Endpoint) Pending(lane int) (messages, bytes int) {
	s := e.senders[lane]
	if s == nil {
		return 0, 0
	}
	return int(s.messages), int(s.queued - s.messages*messageCost)
}

// Idle reports whether every lane of mode Reliable, Ordered and Latest has arrived or been given up.
func (e *Endpoint) Idle() bool {
	for i, s := range e.senders {
		if s != nil && e.table.lanes[i].Mode >= Reliable && (s.head != nil || s.skip != nil) {
			return false
		}
	}
	return true
}
