package dtls

import (
	"net"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/udp"
)

// What is in this file is called by tests of package transport only. A method of a Shard, a
// Handshakes or a Conn belongs to the shard's turn.

// Holdings is how much a shard remembers.
type Holdings struct {
	Conns, Addresses, IDs  int // connections, by what they are found
	Occupants              int // addresses that several connections have
	HalfOpen, Arrivals     int
	Messages, ForwardQueue int
}

// Holdings returns how much s remembers at present.
func (s *Shard) Holdings() Holdings {
	t := &s.Table
	return Holdings{
		Conns: len(t.order), Addresses: t.byAddr.Len(), IDs: len(t.byID), Occupants: len(t.occupants),
		HalfOpen: len(s.Handshakes.Open), Arrivals: len(s.Handshakes.arrivals),
		Messages: s.mailbox.len(), ForwardQueue: len(s.forwarding.queue),
	}
}

// Traces reports whether the connection comes from another shard, which forwards to this one, and
// whether another address of its peer is being validated.
func (c *Conn) Traces() (moved, roaming bool) { return c.stray != nil, c.path != nil }

// Offer begins a handshake without an engine, nil if there is no room. The keys that it ends with
// are handed to what it returns.
func (h *Handshakes) Offer(now time.Time, addr udp.Flow) func(now time.Time, r *handshake.Result) error {
	o := &HalfOpen{shard: h.shard, addr: addr, cancel: func() {}, began: now, heard: now}
	o.conn = handshake.NewConn(true, h.shard.local, net.UDPAddrFromAddrPort(addr.AddrPort), func([]byte) {})
	if o.claim, o.as = h.admit(now, addr); o.claim == nil {
		return nil
	}
	h.add(o)
	return func(now time.Time, r *handshake.Result) (err error) {
		o.ready, err = h.shard.NewConn(o.began, now, addr, r)
		return err
	}
}

// Returned returns a first ClientHello as the sender with this address sends it once it has been
// asked for a proof of that.
func (e *Endpoint) Returned(now time.Time, addr netip.AddrPort, hello []byte) []byte {
	random := handshake.Random(hello)
	token := retry.NewMinter(&e.tokens).Mint(now, addr, &random)
	return append(retry.AppendReturn(nil, &token, nil, nil), hello...)
}

// Sheds has the endpoint do as if its sockets shed handshake records.
func (e *Endpoint) Sheds() { e.flood.sheds.Store(true) }

// ForgetAll ends all handshakes, as when they make room.
func (h *Handshakes) ForgetAll() {
	for _, o := range h.Open {
		o.forget()
	}
}

// Draw has ids made of what draw returns.
func (t *Table) Draw(draw func() uint32) { t.draw = draw }

// Use replaces the shards of the endpoint.
func (s *shards) Use(all ...*Shard) { s.list.Store(&all) }
