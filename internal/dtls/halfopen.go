package dtls

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/internal/udp"
)

// Handshakes is a shard's half-open handshakes, by address. But for the counters it belongs to
// the shard's turn.
type Handshakes struct {
	shard    *Shard // constant
	Open     map[udp.Flow]*HalfOpen
	arrivals []*HalfOpen          // in order of time, those gone since the last sweep included
	arrived  time.Time            // when the last of them came
	sites    map[netip.Prefix]int // how many confirmed addresses each has, while that is looked at
	notedAt  time.Time            // when live peers' addresses were last noted
	kept     kept
	refusing bool // no newcomers any more
	proofs   proofs
	tally    tally
}

// HalfOpen is a handshake under way, and then its keys until the first record opens under
// them: nothing is believed before.
type HalfOpen struct {
	shard   *Shard
	addr    udp.Flow
	conn    *handshake.Conn
	cancel  context.CancelFunc
	random  [32]byte       // of the ClientHello it began with
	claim   *sources.Claim // what it holds until its cookie has come back
	as      standing       // by what it holds that
	told    sync.Once      // that the address is proven
	began   time.Time
	heard   time.Time // when something last came that it could use
	backlog [][]byte  // came while the engine was done and the keys not here
	ready   *Conn     // the keys, waiting for key confirmation
}

func newHandshakes(s *Shard) Handshakes {
	return Handshakes{shard: s, Open: make(map[udp.Flow]*HalfOpen), sites: make(map[netip.Prefix]int), proofs: proofs{shard: s}}
}

// greet begins a handshake with a first ClientHello, if there is room.
func (h *Handshakes) greet(now time.Time, addr udp.Flow, hello []byte) {
	claim, as := h.admit(now, addr)
	if claim == nil {
		h.proofs.turnAway(now, addr, hello)
		return
	}
	h.begin(now, addr, hello, claim, as)
}

// begin starts a handshake for which there is room.
func (h *Handshakes) begin(now time.Time, addr udp.Flow, hello []byte, claim *sources.Claim, as standing) {
	s := h.shard
	o := &HalfOpen{shard: s, addr: addr, began: now, heard: now, random: handshake.Random(hello), claim: claim, as: as}
	o.conn = handshake.NewConn(true, s.local, net.UDPAddrFromAddrPort(addr.AddrPort), func(datagram []byte) {
		if o.conn.Proven() {
			claim.Release()
			o.told.Do(func() { s.Endpoint.lodgers.proven(addr) })
		}
		s.Socket.SendOne(udp.Packet{Addr: addr, Buf: datagram})
	})
	h.add(o)
	h.arrived = now
	if as == stranger {
		h.arrivals = append(h.arrivals, o)
	}
	h.tally.started.Add(1)
	ctx, cancel := context.WithTimeout(s.Endpoint.ctx, s.Endpoint.config.HandshakeTimeout)
	o.cancel = cancel
	s.Endpoint.engines.Add(1)
	h.proofs.beforehand(now, addr, hello)
	go o.negotiate(ctx)
	o.deliver(now, hello)
}

func (h *Handshakes) add(o *HalfOpen) {
	h.Open[o.addr] = o
	h.tally.underway.Add(1)
}

// At is the handshake at an address, nil without.
func (h *Handshakes) At(addr udp.Flow) *HalfOpen {
	if len(h.Open) == 0 {
		return nil
	}
	return h.Open[addr]
}

// Refuse lets no newcomer in any more.
func (h *Handshakes) Refuse() { h.refusing = true }

// Note notes where a peer lives that is no stranger.
func (h *Handshakes) Note(now time.Time, c *Conn) {
	h.shard.Endpoint.admission.live.Note(now, c.Addr.Addr())
	if c.Listed() {
		c.known()
	}
}

// NoteDue reports whether it is time to note where all such peers live: for noteTime, once in a
// sources.LiveInterval.
func (h *Handshakes) NoteDue(now time.Time) bool { return now.Sub(h.notedAt) < noteTime }

// sweep ends what has waited too long for key confirmation, and begins a round of notes. Engines end
// by their own time limit.
func (h *Handshakes) sweep(now time.Time) {
	if now.Sub(h.notedAt) >= sources.LiveInterval {
		h.notedAt = now
	}
	h.kept.giveBack(now, h.shard.Endpoint.admission)
	for _, o := range h.Open {
		if o.ready != nil && now.Sub(o.began) >= h.shard.Endpoint.config.ConfirmTimeout {
			h.tally.failed[handshake.KindUnconfirmed].Add(1)
			h.shard.Drop(audit.DropHandshake)
			o.forget()
		}
	}
	h.arrivals = slices.DeleteFunc(h.arrivals, func(o *HalfOpen) bool { return h.Open[o.addr] != o || o.conn.Proven() })
}

// Busy reports whether peers come: engines run, or soon will.
func (h *Handshakes) Busy(now time.Time) bool {
	return len(h.Open) > 0 || now.Sub(h.arrived) < SweepInterval
}

// negotiate runs the engine: the only goroutine of a handshake that is ours.
func (o *HalfOpen) negotiate(ctx context.Context) {
	defer o.shard.Endpoint.engines.Done()
	result, err := Engine.Server(ctx, o.conn, &o.shard.Endpoint.config.Handshake)
	o.shard.Post(negotiated{o, result, err})
	o.conn.Wait()
}

// negotiated is the end of an engine's work.
type negotiated struct {
	halfOpen *HalfOpen
	result   *handshake.Result
	err      error
}

// Deliver takes the keys over, and looks at what came in the meantime.
func (m negotiated) Deliver(now time.Time) {
	o, s, err := m.halfOpen, m.halfOpen.shard, m.err
	o.cancel()
	if s.Handshakes.Open[o.addr] != o {
		return // evicted meanwhile
	}
	if err == nil {
		o.ready, err = s.NewConn(o.began, now, o.addr, m.result)
	}
	if err != nil {
		s.Handshakes.tally.failed[handshake.KindOf(err)].Add(1)
		s.Drop(audit.DropHandshake)
		if o.conn.Proven() { // what strangers begin under other people's addresses is counted alone
			s.User.Failed(o.began, now, o.addr, err)
		}
		o.forget()
		return
	}
	o.began, o.heard = now, now
	backlog := o.backlog
	o.backlog = nil
	for _, b := range backlog {
		s.Datagram(now, o.addr, b)
	}
}

// deliver hands a datagram to a handshake, or to the keys that came of it.
func (o *HalfOpen) deliver(now time.Time, b []byte) {
	if handshake.IsFirstHello(b) && handshake.Random(b) != o.random {
		o.restart(now, b)
		return
	}
	if o.ready != nil {
		o.ready.records(now, b)
		return
	}
	switch o.conn.Deliver(b) {
	case handshake.Refused:
		o.shard.Drop(audit.DropHandshake)
	case handshake.Taken:
		o.heard = now
	case handshake.Divert:
		if len(o.backlog) == MaxBacklog {
			o.shard.Drop(audit.DropQueue)
			return
		}
		o.backlog = append(o.backlog, slices.Clone(b))
	}
}

// restart is for a ClientHello that does not belong to the handshake under way at its
// address: its sender has begun anew, or one of both is a forger, who does not receive there.
// So one whose cookie has not come back makes room for one with a token, if there is budget, and
// for others only when it has been silent for so long that its own client has given it up; one
// that was begun with a token does not even then. One whose cookie has come back goes on
// until it is silent.
func (o *HalfOpen) restart(now time.Time, hello []byte) {
	s := o.shard
	s.Drop(audit.DropHandshake)
	h := &s.Handshakes
	switch {
	case o.conn.Proven() && now.Sub(o.heard) < HalfOpenSilence:
		return
	case !o.conn.Proven() && (o.as == returned || now.Sub(o.heard) < HalfOpenSilence) && !h.proofs.by(o.addr).returned:
		h.proofs.turnAway(now, o.addr, hello)
		return
	}
	claim, as := h.readmit(now, o)
	if claim == nil {
		h.proofs.turnAway(now, o.addr, hello)
		return
	}
	h.tally.failed[handshake.KindAnew].Add(1)
	o.discard()
	o.claim.Release()
	h.begin(now, o.addr, hello, claim, as)
}

// Proven reports whether the address has returned the cookie.
func (o *HalfOpen) Proven() bool { return o.conn.Proven() }

// proven reports whether the address has returned the cookie or a token.
func (o *HalfOpen) proven() bool { return o.as == returned || o.conn.Proven() }

// OfItsOwn reports whether it takes what a live peer's address has of its own.
func (o *HalfOpen) OfItsOwn() bool { return o.as == own }

// confirm is called when the first record has opened under the new keys: only now
// do they take the address, and what was there before goes.
func (h *Handshakes) confirm(now time.Time, c *Conn) {
	if o := h.Open[c.Addr]; o != nil && o.ready == c {
		o.forget()
	}
	h.tally.completed.Add(1)
	c.Shard.Table.Adopt(now, c)
}

// forget ends a handshake and gives back what it held.
func (o *HalfOpen) forget() {
	o.discard()
	o.claim.Release()
	o.shard.Endpoint.admission.give()
}

// discard ends a handshake; its engine, if it still runs, is cancelled.
func (o *HalfOpen) discard() {
	o.cancel()
	delete(o.shard.Handshakes.Open, o.addr)
	o.shard.Handshakes.tally.underway.Add(-1)
}
