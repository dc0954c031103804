package transport

import (
	"errors"
	"time"

	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/machine"
)

// messages are the lanes of a player who has some. The outbox's lock guards them.
type messages struct {
	player   *Player // constant
	endpoint *lanes.Endpoint
	closing  *closing       // nil unless CloseAfter has been called
	busy     bool           // receive is under way, and a handler may be running without the lock
	late     []sentDatagram // what has left meanwhile
	reported uint64         // endpoint's lost datagrams when the client last reported what it misses

	// Of the shard's schedule.
	dirty bool          // in its list
	place int           // in its heap, from 1; 0: it is not there
	due   time.Duration // while it is there
}

// sentDatagram is a datagram of another kind than FRAMES.
type sentDatagram struct {
	seq    uint64
	length int
}

// agree begins, goes on with or ends the player's lanes, as they are agreed on in the session that
// goes on. The caller holds the outbox's lock.
func (p *Player) agree(of *machine.Conn) {
	s, agreed := p.shard, of.Lanes()
	next := of.Sequence() + 1
	switch m := p.messages; {
	case agreed == nil:
		p.dropMessages()
	case m == nil:
		p.messages = &messages{player: p, endpoint: s.schedule.newEndpoint(agreed, next)}
		s.schedule.players++
	case agreed.Kept:
		m.endpoint.Resume(agreed.Base, next, m)
		s.schedule.touch(m)
	default:
		m.endpoint.Close(m)
		m.endpoint, m.reported = s.schedule.newEndpoint(agreed, next), 0
		s.schedule.touch(m) // a CloseAfter has nothing more to wait for
	}
}

// endMessages ends the lanes of a player who leaves.
func (p *Player) endMessages() {
	s := p.shard
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	p.dropMessages()
}

// dropMessages ends a player's lanes: what is unfinished is reported as lost. A CloseAfter that has waited for it
// still keeps the player from coming back. The caller holds the outbox's lock.
func (p *Player) dropMessages() {
	m := p.messages
	if m == nil {
		return
	}
	p.shard.schedule.forget(m)
	m.endpoint.Close(m)
	p.messages = nil
	if m.closing != nil {
		m.closing.end(m)
	}
}

// receive takes the body of FRAMES, and returns what the session says of it.
func (m *messages) receive(now time.Time, waited time.Duration, seq uint64, body []byte) (machine.Reply, machine.Event) {
	s, of := m.player.shard, &m.player.conn.session
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	reply, ev := of.Charge(now, waited, body, m.endpoint.Inputs(body))
	if ev.Drop != 0 {
		return reply, ev
	}
	m.busy = true
	defer m.rest()
	at := s.schedule.arrival(now, waited)
	return of.Settle(m.endpoint.Receive(at, seq, of.Sequence(), body, m))
}

// rest is the end of receive.
func (m *messages) rest() {
	m.busy = false
	q := &m.player.shard.schedule
	for _, d := range m.late {
		m.endpoint.Sent(q.now, d.seq, d.length)
	}
	m.late = m.late[:0]
	q.touch(m)
}

// note tells the lanes that a datagram of another kind has come. It may be a PONG that has reported
// what the client misses.
func (m *messages) note(now time.Time, waited time.Duration, seq uint64, reported bool) {
	s := m.player.shard
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	m.endpoint.Note(s.schedule.arrival(now, waited), seq)
	if reported {
		m.reported, _ = m.endpoint.Lost()
	}
}

// sent tells the lanes that a datagram of another kind has left under seq. The caller holds the
// outbox's lock.
func (m *messages) sent(seq uint64, length int) {
	if m.busy {
		m.late = append(m.late, sentDatagram{seq, length})
		return
	}
	m.endpoint.Sent(m.player.shard.schedule.now, seq, length)
}

// Message implements lanes.Sink: the handler runs without the lock, so that it may send.
func (m *messages) Message(lane int, id uint64, b []byte) {
	defer m.endpoint.Taken(lane, len(b)) // also where the handler panics
	m.deliver(func(h *Handler) { h.Message(m.player, lane, id, b) })
}

// Latest implements lanes.Sink.
func (m *messages) Latest(lane int, key uint32, b []byte) {
	m.deliver(func(h *Handler) { h.Latest(m.player, lane, key, b) })
}

// deliver calls f without the lock, which the caller holds.
//
// +checklocksignore
func (m *messages) deliver(f func(h *Handler)) {
	if m.player.ended.Load() { // put out by an earlier message of the same datagram, perhaps
		return
	}
	s := m.player.shard
	s.Out.Mu.Unlock()
	defer s.Out.Mu.Lock()
	f(&s.handler)
}

// Receipt implements lanes.Sink. It may be called by whoever sends, so the handler runs in the next
// turn.
func (m *messages) Receipt(lane int, id uint64, arrived bool) {
	m.player.shard.receipts.add(receipt{m.player, id, uint8(lane), arrived})
}

// errorOfLanes maps an error of an endpoint to one that callers can match.
func errorOfLanes(err error) error {
	switch {
	case errors.Is(err, lanes.ErrTooLarge):
		return errLongMessage
	case errors.Is(err, lanes.ErrFull):
		return ErrFull
	case errors.Is(err, lanes.ErrLane):
		return ErrLane
	}
	return err
}

// moved tells a player's lanes that its address has changed on the same connection.
func (p *Player) moved() {
	p.shard.Out.Mu.Lock()
	defer p.shard.Out.Mu.Unlock()
	if m := p.messages; m != nil {
		m.endpoint.Moved()
	}
}
