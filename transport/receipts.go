package transport

import "slices"

// receipts are what Handler.Receipt is to be told in the shard's next turn. The outbox's lock guards
// them.
type receipts struct {
	shard   *shard // constant
	waiting []receipt
	spare   []receipt
}

// receipt is one of them.
type receipt struct {
	player  *Player
	id      uint64
	lane    uint8
	arrived bool
}

// add has the handler told in the next turn. The caller holds the outbox's lock.
func (rs *receipts) add(r receipt) { rs.waiting = append(rs.waiting, r) }

// some reports whether there are any. The caller holds the outbox's lock.
func (rs *receipts) some() bool { return len(rs.waiting) > 0 }

// deliver tells the handler what has become of messages. It belongs to the shard's turn.
func (rs *receipts) deliver() {
	o := &rs.shard.Out
	o.Mu.Lock()
	list := rs.waiting
	rs.waiting, rs.spare = rs.spare[:0], nil
	o.Mu.Unlock()
	told := 0
	defer func() {
		o.Mu.Lock()
		defer o.Mu.Unlock()
		if told < len(list) { // the handler has panicked: the next turn tells the rest
			rs.waiting = append(slices.Clone(list[told:]), rs.waiting...)
		}
		clear(list)
		rs.spare = list[:0]
	}()
	for _, r := range list {
		told++
		rs.shard.handler.Receipt(r.player, int(r.lane), r.id, r.arrived)
	}
}
