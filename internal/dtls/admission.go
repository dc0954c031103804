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
//	address of a live peer    a handshake of its own, if it has none whose address is unproven
//	else, or besides          its prefixes' share and budget
//	either                    one of MaxHandshakes places, for which another one may have to go
//
// Room is looked at before budget is spent: what is not let in for lack of room costs
// its prefix nothing.
type admission struct {
	most     int64 // constant
	sources  *sources.Sources
	live     *sources.LiveAddresses
	underway atomic.Int64 // handshakes of all shards
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

// admit finds room for a handshake from an address. It returns nil if there is none,
// and reports whether the room is the address's own.
func (h *Handshakes) admit(now time.Time, addr udp.Flow) (claim *sources.Claim, own bool) {
	a := h.shard.Endpoint.admission
	if claim = a.live.Claim(now, addr.Addr()); claim != nil {
		if h.room(now, true) {
			return claim, true
		}
		claim.Refund()
	}
	if claim = a.sources.Claim(now, addr.Addr()); claim != nil {
		if h.room(now, false) {
			return claim, false
		}
		claim.Refund()
	}
	return nil, false
}

// readmit is admit for a handshake that takes the place of another one at its address.
func (h *Handshakes) readmit(now time.Time, o *HalfOpen) (claim *sources.Claim, own bool) {
	if !o.conn.Proven() {
		return o.claim.Renew(now), o.own
	}
	a := h.shard.Endpoint.admission
	if claim = a.live.Claim(now, o.addr.Addr()); claim != nil {
		return claim, true
	}
	return a.sources.Claim(now, o.addr.Addr()), false
}

// room takes a place for a handshake, or that of a handshake which goes for it. Where
// the other shards hold them all, the one that holds most is asked to let one go, for
// when the datagram comes again.
func (h *Handshakes) room(now time.Time, own bool) bool {
	if h.shard.Endpoint.admission.take() {
		return true
	}
	if o := h.dispensable(now, own); o != nil {
		o.evict()
		return true
	}
	if now.Sub(h.askedAt) < askInterval {
		return false
	}
	h.askedAt = now
	if other := h.shard.Endpoint.busiest(); other != h.shard {
		other.Post(makeRoom{other, own})
	}
	return false
}

// makeRoom asks a shard to let a handshake go.
type makeRoom struct {
	shard *Shard
	own   bool // for a live peer's address
}

func (m makeRoom) Deliver(now time.Time) {
	if o := m.shard.Handshakes.dispensable(now, m.own); o != nil {
		o.evict()
		m.shard.Endpoint.admission.give()
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
