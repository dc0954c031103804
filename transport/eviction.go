package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/policy"
)

// dispensable is the handshake that makes room for a newcomer, nil if none does:
//
//	the oldest that has not proven its address
//	else, of the site that holds most of the proven, the longest silent
//	else, for a live player's address, one of another's that has been silent for openingSilence
//
// What a live player's address has begun goes for no stranger, unless it is proven and
// has been silent for so long that its own client has given it up.
func (s *shard) dispensable(now time.Time, own bool) *opening {
	for len(s.arrivals) > 0 {
		o := s.arrivals[0]
		if s.openings[o.addr] == o && !o.conn.Proven() {
			return o
		}
		s.arrivals[0] = nil
		s.arrivals = s.arrivals[1:]
	}
	if o := s.longestSilent(now); o != nil || !own {
		return o
	}
	var silent *opening
	for _, o := range s.openings {
		if now.Sub(o.heard) >= openingSilence && (silent == nil || o.heard.Before(silent.heard)) {
			silent = o
		}
	}
	return silent
}

// longestSilent is the longest silent handshake of the site that holds most, of those
// that have proven their addresses. Who takes many places competes with itself.
func (s *shard) longestSilent(now time.Time) (silent *opening) {
	clear(s.sites)
	for _, o := range s.openings {
		if o.dispensable(now) {
			s.sites[policy.SitePrefix(o.addr.Addr())]++
		}
	}
	most := 0
	for _, o := range s.openings {
		if !o.dispensable(now) {
			continue
		}
		n := s.sites[policy.SitePrefix(o.addr.Addr())]
		if n > most || n == most && o.heard.Before(silent.heard) {
			most, silent = n, o
		}
	}
	return silent
}

// dispensable reports whether a handshake that has proven its address may go for a stranger.
func (o *opening) dispensable(now time.Time) bool {
	return o.conn.Proven() && (!o.own || now.Sub(o.heard) >= openingSilence)
}

// evict ends a handshake whose place another one takes.
func (s *shard) evict(o *opening) {
	s.handshakes.failed.Add(1)
	s.drop(audit.DropHandshake)
	s.discard(o)
	o.claim.Release()
}

// forget ends a handshake and gives back what it held.
func (s *shard) forget(o *opening) {
	s.discard(o)
	o.claim.Release()
	s.server.admission.give()
}

// discard ends a handshake of s.openings; its engine, if it still runs, is cancelled.
func (s *shard) discard(o *opening) {
	o.cancel()
	delete(s.openings, o.addr)
	s.underway.Add(-1)
}
