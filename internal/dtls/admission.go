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
	if claim = h.own(now, addr); claim != nil {
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

// own takes what a live peer's address has of its own.
func (h *Handshakes) own(now time.Time, addr udp.Flow) *sources.Claim {
	return h.shard.Endpoint.admission.live.Claim(now, addr.Addr(), h.proofs.by(addr).returned)
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
	if !o.conn.Proven() && (o.as == returned || !h.proofs.by(o.addr).returned) {
		return o.claim.Renew(now), o.as
	}
	if claim = h.own(now, o.addr); claim != nil {
		return claim, own
	}
	return h.claim(now, o.addr)
}

// room takes a place for a handshake, or that of a handshake which goes for it. Where
// the other shards hold them all, the one that holds most is asked to let one go, for
// when the datagram comes again. So it is where that one holds far more than this one: who
// fills the one does not have newcomers to the other put each other out.
func (h *Handshakes) room(now time.Time, by newcomer) bool {
	if h.kept > 0 {
		h.kept--
		h.shard.Endpoint.admission.kept.Add(-1)
		return true
	}
	if h.shard.Endpoint.admission.take() {
		return true
	}
	o, other := h.dispensable(now, by), h.shard.Endpoint.busiest()
	ask := other != h.shard && now.Sub(h.askedAt) >= askInterval
	if ask && o != nil {
		ask = o.proven() && other.Handshakes.underway.Load() > 2*h.underway.Load()+fewHandshakes
	}
	switch {
	case ask:
		h.askedAt = now
		other.Post(makeRoom{other, h.shard, by})
		return false
	case o != nil:
		o.evict()
		return true
	}
	return false
}

// makeRoom asks a shard to let a handshake go for a newcomer to another one.
type makeRoom struct {
	shard, newcomers *Shard
	by               newcomer
}

func (m makeRoom) Deliver(now time.Time) {
	if o := m.shard.Handshakes.dispensable(now, m.by); o != nil {
		o.evict()
		m.shard.Endpoint.admission.kept.Add(1)
		m.newcomers.Post(place{m.newcomers})
	}
}

// place is a place that another shard has let go. It is kept for roomTime, or those who
// fill that shard would take it.
type place struct{ shard *Shard }

func (m place) Deliver(now time.Time) {
	h := &m.shard.Handshakes
	h.kept++
	h.keptAt = now
}

// giveKept gives back the places for which nobody has come.
func (h *Handshakes) giveKept(now time.Time) {
	for now.Sub(h.keptAt) >= roomTime && h.kept > 0 {
		h.kept--
		h.shard.Endpoint.admission.kept.Add(-1)
		h.shard.Endpoint.admission.give()
	}
}

// busiest is the shard with most handshakes.
func (e *Endpoint) busiest() (most *Shard) {
	for _, s := range e.All() {
		if most == nil || s.Handshakes.underway.Load() > most.Handshakes.underway.Load() {
			most = s
		}
	}
	return most
}
