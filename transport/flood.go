package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
)

// floodFrom is how many refused strangers' datagrams a second are a flood: far
// more than a fleet of players who all return at once.
const floodFrom = 2000

// flood tells the audit when a flood of strangers' datagrams begins and when it
// is over: two records, however long it lasts and however many shards it comes to.
// It belongs to the first shard's turn.
type flood struct {
	refused uint64 // when last looked at
	lasts   bool
}

// flooded looks once in a sweepInterval.
func (s *Server) flooded(now time.Time) {
	var n uint64
	for _, sh := range *s.shards.Load() {
		n += sh.drops[audit.DropSource].Load() + sh.drops[audit.DropBudget].Load() + sh.drops[audit.DropHandshake].Load()
	}
	lasts := n-s.flood.refused >= floodFrom
	s.flood.refused = n
	if lasts == s.flood.lasts {
		return
	}
	s.flood.lasts = lasts
	detail := "strangers' datagrams flood the server"
	if !lasts {
		detail = "the flood of strangers' datagrams is over"
	}
	s.config.Audit.Record(audit.Event{
		Time: s.clock.at(now), Decision: audit.Flood, Reason: audit.DropBudget, Version: version, Detail: detail,
	})
}
