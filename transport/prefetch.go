package transport

import "github.com/sallyport/sallyport/internal/udp"

const (
	// prefetchFrom is from how many associations on a shard prefetches: fewer fit
	// into the processor's cache anyway.
	prefetchFrom = 512

	// prefetchLen is for how many datagrams memory is fetched at once: enough that
	// the processor is never without something to wait for, and few enough that
	// what has come stays in its first cache.
	prefetchLen = 16

	// stages is how deep that memory lies: see package prefetch.
	stages = 2
)

// prefetch reads the memory that packets are about to need, of all of them at
// once, and leaves in found whose they most likely are.
func (s *shard) prefetch(packets []udp.Packet) {
	found, hashes := s.found[:len(packets)], s.hashes[:len(packets)]
	for i := range hashes {
		hashes[i] = s.associations.Hash(packets[i].Addr.AddrPort)
	}
	s.associations.Likely(found, hashes)
	for stage := range stages {
		for _, a := range found {
			if a != nil {
				s.read ^= a.record.PrefetchOpen(stage) ^ a.session.PrefetchHandle(stage)
			}
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
