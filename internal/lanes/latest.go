package lanes

// SendLatest queues a copy of b as the value of key; no bytes remove the key. A value that has not
// arrived is replaced and never sent again, and the new one keeps its place in the queue.
func (e *Endpoint) SendLatest(lane int, key uint32, b []byte) error {
	if lane < 0 || lane >= len(e.table.lanes) || e.table.lanes[lane].Mode != Latest {
		return ErrLane
	}
	l := &e.table.lanes[lane]
	if len(b) > l.MaxMessage {
		return ErrTooLarge
	}
	s := e.sender(lane)
	m, known := s.keys[key]
	held := 0
	if m != nil {
		held = len(m.payload.b) + messageCost
	}
	if !known && len(s.keys) >= MaxKeys || int(s.queued)-held+len(b)+messageCost > l.Queue {
		return ErrFull
	}
	if s.keys == nil {
		s.keys = make(map[uint32]*outgoing)
	}
	s.last++
	p := NewPayload(b)
	if m == nil {
		m = s.add(uint8(lane), p, 0)
		m.key, m.giveUp = key, never
		s.keys[key] = m
	} else {
		s.queued += int32(len(b) + messageCost - held)
		m.payload.Release()
		m.payload = p
	}
	m.id, m.copies = s.last, 0
	m.want.set(0)
	s.resend.push(m)
	return nil
}

// renew gives a value a new id before the peer takes it for stale.
func (s *sender) renew(m *outgoing) {
	if m.id+MaxStale/2 < s.last {
		s.last++
		m.id, m.copies = s.last, 0
	}
}

// latestArrived notes that the newest value of m's key has arrived.
func (s *sender) latestArrived(m *outgoing) {
	if len(m.payload.b) == 0 {
		delete(s.keys, m.key)
	} else {
		s.keys[m.key] = nil
	}
	s.remove(m)
}
