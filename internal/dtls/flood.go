package dtls

import (
	"time"

	"github.com/sallyport/sallyport/audit"
)

// FloodFrom is how many refused strangers' datagrams a second are a flood: far
// more than a fleet of players who all return at once.
const FloodFrom = 2000

// flood is whether strangers' datagrams flood the endpoint, however many shards they come to.
// It belongs to the first shard's turn.
type flood struct {
	refused uint64 // when last looked at
	lasts   bool
	shedding
}

// watch looks once in a sweepInterval.
func (e *Endpoint) watch(now time.Time) {
	var n uint64
	for _, s := range e.All() {
		drops := &s.counts.drops
		n += s.Handshakes.proofs.retries.sent.Load() + drops[audit.DropSource].Load() + drops[audit.DropBudget].Load() + drops[audit.DropHandshake].Load()
	}
	e.tokens.Age(now)
	lasts := (n-e.flood.refused)<<e.flood.level >= FloodFrom
	e.flood.refused = n
	e.flood.shed(e.All(), lasts)
	if lasts != e.flood.lasts {
		e.flood.lasts = lasts
		e.config.Flooded(now, lasts)
	}
}
