package transport

// prefetchFrom is from how many associations on a shard reads the memory of a
// batch before it handles it: fewer fit into the processor's cache anyway.
const prefetchFrom = 512

// stages is how deep the memory lies that a datagram needs: see package
// prefetch.
const stages = 3

// prefetch reads the memory that the datagrams of a batch are about to need, of
// all of them at once.
func (s *shard) prefetch(packets []packet) {
	if len(s.order) < prefetchFrom {
		return
	}
	found := s.found[:0]
	for i := range packets {
		if a := s.associations[packets[i].addr]; a != nil && len(found) < cap(found) {
			found = append(found, a)
		}
	}
	for stage := range stages {
		for _, a := range found {
			s.read ^= a.record.PrefetchOpen(stage) ^ a.session.PrefetchHandle(stage)
		}
	}
}

// prefetch does the same for what is about to be sent to players.
//
// +checklocks:o.mu
func (o *outbox) prefetch(players []*Player) {
	for stage := range stages {
		for _, p := range players {
			o.read ^= p.association.record.PrefetchSeal(stage) ^ p.association.session.PrefetchAppend(stage)
		}
	}
}
