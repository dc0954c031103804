package transport

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/lanes"
)

// HasLanes reports whether the player's client uses the server's lanes. It may change when the
// session is resumed.
func (p *Player) HasLanes() bool {
	p.shard.Out.Mu.Lock()
	defer p.shard.Out.Mu.Unlock()
	return p.messages != nil
}

// SendMessage queues a copy of b as the next message of a lane of any mode but Latest, and returns
// the message's id, from 1 on each lane. It leaves at the end of the turn or with the next Flush,
// as soon as priority, credit and the path's rate let it; SendMessage never waits.
//
// On an error nothing has been queued: session.ErrTooLarge for more than the lane's MaxMessage;
// ErrFull; ErrLane; ErrNoLanes if the player's client has none; or ErrGone when the player has
// left, as in Send, or after CloseAfter.
func (p *Player) SendMessage(lane int, b []byte) (id uint64, err error) {
	return p.queueMessage(lane, b, true)
}

// QueueMessage is SendMessage for a message that waits for others, to share datagrams with them: it
// leaves with the next Flush, or with whatever is sent before. Serve has it leave within 250 ms.
// Unlike in a Hold, nothing else waits.
func (p *Player) QueueMessage(lane int, b []byte) (id uint64, err error) {
	return p.queueMessage(lane, b, false)
}

func (p *Player) queueMessage(lane int, b []byte, flush bool) (id uint64, err error) {
	err = p.withMessages(flush, func(m *messages, now time.Duration) error {
		id, err = m.endpoint.Send(now, lane, b, m)
		return err
	})
	return id, err
}

// SendLatest queues a copy of b, at most 1,088 bytes, as the value of key on a lane of mode Latest,
// in place of a value that has not arrived yet. An empty b removes the key. A lane has at most
// 1,024 keys at a time. Errors are those of SendMessage.
func (p *Player) SendLatest(lane int, key uint32, b []byte) error {
	return p.withMessages(true, func(m *messages, _ time.Duration) error {
		return m.endpoint.SendLatest(lane, key, b)
	})
}

// withMessages calls send with the lock held, and has the lanes looked at with the next flush: at once
// with flush, unless somebody will do so soon.
func (p *Player) withMessages(flush bool, send func(m *messages, now time.Duration) error) error {
	s := p.shard
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	m := p.messages
	switch {
	case p.ended.Load() || p.stay.Load() == gone:
		return ErrGone
	case m == nil:
		return ErrNoLanes
	case m.closing != nil:
		return ErrGone
	}
	if err := send(m, s.sending()); err != nil {
		return errorOfLanes(err)
	}
	s.schedule.touch(m)
	if flush {
		s.Out.FlushUnlessHeld()
	}
	return nil
}

// Delivered returns the id of the newest message of a lane that is known to have arrived, 0 before
// the first and without lanes. For a lane of snapshots it is the baseline of the next delta.
func (p *Player) Delivered(lane int) (id uint64) {
	p.look(lane, func(m *messages) { id = m.endpoint.Delivered(lane) })
	return id
}

// Pending returns how many messages of a lane, and how many bytes of them, have neither arrived nor
// been given up.
func (p *Player) Pending(lane int) (count, bytes int) {
	p.look(lane, func(m *messages) { count, bytes = m.endpoint.Pending(lane) })
	return count, bytes
}

// Budget returns how many bytes of messages could leave now without waiting for the path's rate:
// what a tick may still send. It is 0 without lanes. No more than two datagrams, or 8 ms of the rate,
// leave at once, so it may always be less than a long message takes: send that while Budget is above
// 0, which it is again once the message has left.
func (p *Player) Budget() (bytes int) {
	p.look(0, func(m *messages) {
		p.shard.schedule.advance(p.shard.server.clock.now())
		bytes = m.endpoint.Budget(p.shard.schedule.now)
	})
	return bytes
}

// look calls f with the lock held, if the player has the lane.
func (p *Player) look(lane int, f func(m *messages)) {
	s := p.shard
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	if m := p.messages; m != nil && lane >= 0 && lane < m.endpoint.Lanes() {
		f(m)
	}
}

// BroadcastMessage queues b, copied once for all, as the next message of a lane for every player
// with lanes but those of except. With session.ErrTooLarge, ErrLane or ErrNoLanes, if the server
// has none, it is queued for nobody. missed are the players whose queue was full: where everybody
// must have every message, kick them.
func (s *Server) BroadcastMessage(lane int, b []byte, except ...*Player) (missed []*Player, err error) {
	if s.lanes == nil {
		return nil, ErrNoLanes
	}
	if err := s.lanes.Takes(lane, len(b)); err != nil {
		return nil, errorOfLanes(err)
	}
	shared := lanes.NewPayload(b)
	defer shared.Release()
	for sh := range s.shards {
		missed = append(missed, sh.broadcastMessage(lane, shared, except)...)
	}
	return missed, nil
}

func (s *shard) broadcastMessage(lane int, shared *lanes.Payload, except []*Player) (missed []*Player) {
	s.players.mu.RLock()
	defer s.players.mu.RUnlock()
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	q := &s.schedule
	if q.players == 0 {
		return nil
	}
	now := s.sending()
	for _, p := range s.players.list {
		m := p.messages
		if m == nil || m.closing != nil || p.ended.Load() || p.stay.Load() == gone || slices.Contains(except, p) {
			continue
		}
		if _, err := m.endpoint.SendPayload(now, lane, shared, m); err != nil {
			missed = append(missed, p)
			continue
		}
		q.touch(m)
	}
	s.Out.FlushUnlessHeld()
	return missed
}
