package dtls

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/sources"
)

// dispensable is the handshake that makes room for a newcomer, nil if none does:
//
//	the oldest stranger's, which has not proven its address
//	else, of the site that holds most of the proven, the longest silent
//	else, for a live peer's address, one of another's that has been silent for openingSilence
//
// What a live peer's address has begun goes for no stranger, unless it is proven and
// has been silent for so long that its own client has given it up. For a newcomer that has proven nothing,
// whose address may be forged, a stranger's goes once it has had its time, and nothing that has proven its
// address but what is as silent; what was begun with a token does not, until its cookie has come back.
func (h *Handshakes) dispensable(now time.Time, by newcomer) *HalfOpen {
	if o := h.oldestStranger(); o != nil && (by.proven || now.Sub(o.began) >= StrangerTime) {
		return o
	}
	if o := h.longestSilent(now, by); o != nil || !by.own {
		return o
	}
	var silent *HalfOpen
	for _, o := range h.Open {
		if by.mayEnd(now, o) && now.Sub(o.heard) >= HalfOpenSilence && (silent == nil || o.heard.Before(silent.heard)) {
			silent = o
		}
	}
	return silent
}

// newcomer is for whom a handshake makes room.
type newcomer struct {
	own    bool // it comes from a live peer's address
	proven bool // it has proven to be at its address
}

// mayEnd reports whether a handshake that is no stranger's may end for it.
func (by newcomer) mayEnd(now time.Time, o *HalfOpen) bool {
	return by.proven || now.Sub(o.heard) >= HalfOpenSilence && (o.as != returned || o.conn.Proven())
}

// oldestStranger is the oldest handshake of those that have proven nothing, nil without.
func (h *Handshakes) oldestStranger() *HalfOpen {
	for len(h.arrivals) > 0 {
		o := h.arrivals[0]
		if h.Open[o.addr] == o && !o.conn.Proven() {
			return o
		}
		h.arrivals[0] = nil
		h.arrivals = h.arrivals[1:]
	}
	return nil
}

// longestSilent is the longest silent handshake of the site that holds most, of those
// that have proven their addresses. A site that takes many places competes with itself.
func (h *Handshakes) longestSilent(now time.Time, by newcomer) (silent *HalfOpen) {
	clear(h.sites)
	for _, o := range h.Open {
		if o.dispensable(now) && by.mayEnd(now, o) {
			h.sites[sources.SitePrefix(o.addr.Addr())]++
		}
	}
	most := 0
	for _, o := range h.Open {
		if !o.dispensable(now) || !by.mayEnd(now, o) {
			continue
		}
		n := h.sites[sources.SitePrefix(o.addr.Addr())]
		if n > most || n == most && o.heard.Before(silent.heard) {
			most, silent = n, o
		}
	}
	return silent
}

// dispensable reports whether a handshake that has proven its address may go for a stranger.
func (o *HalfOpen) dispensable(now time.Time) bool {
	return o.proven() && (o.as != own || now.Sub(o.heard) >= HalfOpenSilence)
}

// evict ends a handshake whose place another one takes.
func (o *HalfOpen) evict() {
	o.shard.Handshakes.tally.failed[handshake.KindEvicted].Add(1)
	o.shard.Drop(audit.DropHandshake)
	o.discard()
	o.claim.Release()
}
