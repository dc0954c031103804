package dtls

import (
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/internal/udp"
)

// admission is what handshakes may take, of all shards together: only datagrams
// that begin one, and the end of one, touch it.
//
//	address of a live peer    a handshake of its own, if it has none whose address is unproven, and
//	                          if few of those that have proven nothing are under way
//	else, or besides
//	  a ticket is shown       what its session has of its own
//	  the address is proven   what the address has of its own, and its prefix for all of them
//	  neither                 its prefixes' share and budget, and one of the few places for strangers
//	each of them              one of MaxHandshakes places, for which another one may have to go
//
// Room is looked at before budget is spent: what is not let in for lack of room costs
// its prefix nothing.
type admission struct {
	most     int64            // constant
	sources  *sources.Sources // of strangers
	proven   *sources.Sources // of addresses that are proven
	sessions *sources.Sessions
	live     *sources.LiveAddresses
	underway atomic.Int64 // places that are taken: by handshakes of all shards, or kept for newcomers
	kept     atomic.Int64 // those that are kept
}

// take takes a place if there is one.
func (a *admission) take() bool {
	for {
		n := a.underway.Load()
		if n >= a.most {
			return false
		}
		if a.underway.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// give gives a place back.
func (a *admission) give() { a.underway.Add(-1) }

// own takes what a live peer's address has of its own; proven is whether the sender has proven to be there.
func (a *admission) own(now time.Time, addr udp.Flow, proven bool) *sources.Claim {
	return a.live.Claim(now, addr.Addr(), proven)
}

// standing is by what a handshake has its room.
type standing uint8

const (
	stranger standing = iota
	returned          // the address is proven, by a token that it has returned or by its carrier
	own               // a peer lives at the address
)

// admit finds room for a handshake from an address. It returns nil if there is none.
func (h *Handshakes) admit(now time.Time, addr udp.Flow) (claim *sources.Claim, as standing) {
	proven := h.proofs.by(addr).returned
	if claim = h.shard.Endpoint.admission.own(now, addr, proven); claim != nil {
		if h.room(now, newcomer{true, proven}) {
			return claim, own
		}
		claim.Refund()
	}
	if claim, as = h.claim(now, addr); claim != nil {
		if h.room(now, newcomer{false, proven}) {
			return claim, as
		}
		claim.Refund()
	}
	return nil, as
}

// claim takes what a sender has by what it has shown.
func (h *Handshakes) claim(now time.Time, addr udp.Flow) (claim *sources.Claim, as standing) {
	a, shown := h.shard.Endpoint.admission, h.proofs.by(addr)
	switch {
	case shown.vouched:
		if claim = a.sessions.Claim(now, shown.session); claim != nil {
			return claim, returned
		}
		fallthrough
	case shown.returned:
		return a.proven.Claim(now, addr.Addr()), returned
	case a.sources.Full() && !h.outstayed(now):
		return nil, stranger
	}
	return a.sources.Claim(now, addr.Addr()), stranger
}

// outstayed ends the stranger's handshake that has had its time, if there is one.
func (h *Handshakes) outstayed(now time.Time) bool {
	o := h.oldestStranger()
	if o == nil || now.Sub(o.began) < StrangerTime {
		return false
	}
	o.evict()
	h.shard.Endpoint.admission.give()
	return true
}

// readmit is admit for a handshake that takes the place of another one at its address.
func (h *Handshakes) readmit(now time.Time, o *HalfOpen) (claim *sources.Claim, as standing) {
	proven := h.proofs.by(o.addr).returned
	if !o.conn.Proven() && (o.as == returned || !proven) {
		return o.claim.Renew(now), o.as
	}
	if claim = h.shard.Endpoint.admission.own(now, o.addr, proven); claim != nil {
		return claim, own
	}
	return h.claim(now, o.addr)
}
