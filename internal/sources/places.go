package sources

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// places is a table of fixed size that all shards share. A hash with a seed of its own maps a key
// to a set of eight places, so a sender cannot choose which entry to displace, and neither memory
// nor time depends on the senders.
//
// It is safe for concurrent use. A set's lock is held for a few comparisons, and shards with
// different senders rarely contend for one. Claims are counted in atomics, so releasing one takes
// no lock.
type places struct {
	seed maphash.Seed
	sets []set
}

type set struct {
	mu sync.Mutex
	// +checklocks:mu
	places [ways]place
}

// place holds a bucket and a count of claims, in 24 bytes. A place without claims may be displaced;
// a full bucket equals a forgotten one.
type place struct {
	full atomic.Int64 // of the bucket, Unix ns
	key  uint64       // zero for an empty place; the set's lock guards key and seen
	held atomic.Int32 // claims; raised under the set's lock, lowered without it
	seen uint32       // Unix s
}

func newPlaces(n int) places {
	return places{seed: maphash.MakeSeed(), sets: make([]set, (max(n, 1)+ways-1)/ways)}
}

func (t *places) set(hash uint64) *set { return &t.sets[hash%uint64(len(t.sets))] }

// find returns the place of key, nil if it has none.
//
// +checklocks:s.mu
func (s *set) find(key uint64) *place {
	for i := range s.places {
		if p := &s.places[i]; p.key == key {
			return p
		}
	}
	return nil
}

// displace gives key the place that is worth least, as an empty one with a full bucket. It returns
// nil when a claim holds each of them.
//
// +checklocks:s.mu
func (s *set) displace(key uint64, less func(a, b *place) bool) *place {
	var least *place
	for i := range s.places {
		if p := &s.places[i]; p.held.Load() == 0 && (least == nil || less(p, least)) {
			least = p
		}
	}
	if least != nil {
		least.key, least.seen = key, 0
		least.full.Store(0)
	}
	return least
}
