package dtls

import (
	"slices"
	"sync/atomic"

	"github.com/sallyport/sallyport/internal/udp"
)

// shards are those of an endpoint: at least one. Share may add some, and Gather takes all but one away.
type shards struct {
	list     atomic.Pointer[[]*Shard]
	inherits bool // connections of another process go on here; set before the first turn
}

// All is every shard, the first one first.
func (s *shards) All() []*Shard { return *s.list.Load() }

// add adds a shard, and returns every shard. What All has returned to other goroutines stays as it was.
func (s *shards) add(one *Shard) []*Shard {
	all := append(slices.Clone(s.All()), one)
	s.list.Store(&all)
	return all
}

// First is the shard that stays when the others go.
func (s *shards) First() *Shard { return s.All()[0] }

// Home is the shard that a connection id names, nil if there is none. A process that ran more
// shards than this one may have left its ids.
func (s *shards) Home(id uint32) *Shard {
	all := s.All()
	i := int(id & udp.ShardMask)
	if i >= len(all) && !s.inherits {
		return nil
	}
	return all[i%len(all)]
}

// Inherit has connection ids of another process name shards here. It is called before the first
// turn.
func (s *shards) Inherit() { s.inherits = true }

// busiest is the shard with most handshakes.
func (s *shards) busiest() (most *Shard) {
	for _, other := range s.All() {
		if most == nil || other.Handshakes.tally.underway.Load() > most.Handshakes.tally.underway.Load() {
			most = other
		}
	}
	return most
}
