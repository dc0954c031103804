package dtls

import (
	"sync/atomic"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/udp"
)

// counts are a shard's, for everybody to read.
type counts struct {
	drops     audit.Counters
	received  atomic.Uint64
	forwarded atomic.Uint64
	longest   atomic.Int64 // datagrams of one turn, since the flood was last looked at
}

// tally counts a shard's handshakes, for everybody to read.
type tally struct {
	underway           atomic.Int64 // at present
	started, completed atomic.Uint64
	failed             [handshake.NumKinds]atomic.Uint64 // by the kind of their causes
}

// failures is how many have failed, and how many of them by which kind of cause.
func (t *tally) failures() (all uint64, by map[string]uint64) {
	by = make(map[string]uint64)
	for k := range handshake.NumKinds {
		if n := t.failed[k].Load(); n > 0 {
			all, by[k.String()] = all+n, n
		}
	}
	return all, by
}

// Drop counts a datagram that has been dropped.
func (c *counts) Drop(d audit.Drop) { c.drops.Add(d) }

// Dropped is how many datagrams have been dropped for a reason.
func (c *counts) Dropped(d audit.Drop) uint64 { return c.drops[d].Load() }

// Stats is what a shard has done. It is safe for concurrent use.
type Stats struct {
	Received, Sent, Forwarded  uint64 // datagrams
	Drops                      map[string]uint64
	Started, Completed, Failed uint64            // handshakes
	FailedBy                   map[string]uint64 // the same by the label of their handshake.Kind
	Underway                   int               // handshakes at present
	Retries                    Retries
	Socket                     udp.Stats
}

// Retries counts proofs of address.
type Retries struct {
	Sent     uint64 // ClientHellos that were asked for one; nothing is kept of them
	Returned uint64 // ClientHellos that have brought one
	Vouched  uint64 // those of them that have shown a ticket, too
	Wrong    uint64 // tokens and tickets that were no good
}

// CarrierOverflow is how many of the carrier's datagrams were lost because nobody took them in time.
func (e *Endpoint) CarrierOverflow() uint64 {
	if e.config.Carrier == nil {
		return 0
	}
	return e.config.Carrier.Overflow()
}

// Deaf reports whether somebody else has closed the socket of the first shard, and the carrier.
func (e *Endpoint) Deaf() (socket, carrier bool) {
	c := e.config.Carrier
	return e.First().Socket.Stats().Closed, c != nil && c.Closed()
}

// Stats returns what s has done.
func (s *Shard) Stats() Stats {
	h, r := &s.Handshakes.tally, &s.Handshakes.proofs.retries
	s.Out.Mu.Lock()
	sent := s.Out.sent
	s.Out.Mu.Unlock()
	failed, by := h.failures()
	return Stats{
		Received: s.counts.received.Load(), Sent: sent, Forwarded: s.counts.forwarded.Load(), Drops: s.counts.drops.Snapshot(),
		Started: h.started.Load(), Completed: h.completed.Load(), Failed: failed, FailedBy: by,
		Underway: int(h.underway.Load()), Socket: s.Socket.Stats(),
		Retries: Retries{
			Sent: r.sent.Load(), Returned: r.returned.Load(), Vouched: r.vouched.Load(), Wrong: r.wrong.Load(),
		},
	}
}
