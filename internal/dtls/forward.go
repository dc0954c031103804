package dtls

import (
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/udp"
)

// The kernel gives a datagram to the shard that its connection id names, or that its address
// has. Where that is not the connection's, it is forwarded to it by a bounded queue.

// forwarding is what a shard has of it.
type forwarding struct {
	queue   chan forwarded // from other shards
	buffers *sync.Pool     // the endpoint's, constant
	taking  bool           // what is handled comes from there
	scratch []byte         // copies of what may open under a second key
	second  []byte         // and under a third
}

// forwarded is a datagram that the kernel gave to another shard than its connection's.
type forwarded struct {
	addr  udp.Flow
	b     *[udp.BufferLen]byte
	n     int
	stamp int64 // as a packet's
}

// stray is where a connection was before it moved to another shard. What still comes
// there is forwarded, for as long as nobody newer has the address.
type stray struct {
	from, to *Shard
	addr     udp.Flow
}

// forward hands a datagram to another shard.
func (s *Shard) forward(to *Shard, addr udp.Flow, b []byte) {
	buffer := s.forwarding.buffers.Get().(*[udp.BufferLen]byte)
	select {
	case to.forwarding.queue <- forwarded{addr, buffer, copy(buffer[:], b), s.waiting.stamp}:
		to.Socket.Wake()
		s.counts.forwarded.Add(1)
	default:
		s.forwarding.buffers.Put(buffer)
		s.Drop(audit.DropQueue)
	}
}

// take has n datagrams handled that other shards have forwarded.
func (f *forwarding) take(n int, handle func(d forwarded)) {
	f.taking = true
	for range n {
		d := <-f.queue
		handle(d)
		f.buffers.Put(d.b)
	}
	f.taking = false
}

// Move hands a connection over to another shard, unless it has gone, and has then delivered
// there. What comes from its address is forwarded.
func (t *Table) Move(c *Conn, to *Shard, then Message) {
	if !c.Listed() {
		return
	}
	c.Former = nil
	from := &stray{c.Shard, to, c.Addr}
	t.swap(c, from) // nobody else gets the address meanwhile
	to.Post(moved{c, from, then})
}

// moved is a connection that comes from another shard.
type moved struct {
	conn *Conn
	from *stray
	then Message
}

func (m moved) Deliver(now time.Time) {
	c, to := m.conn, m.from.to
	c.Shard, c.ID, c.stray = to, 0, m.from
	to.Table.Adopt(now, c)
	m.then.Deliver(now)
}

// recall ends the forwarding for a connection that goes.
func (s *stray) recall() {
	if s != nil {
		s.from.Post(recalled{s})
	}
}

// recalled is a connection that needs nothing forwarded any more.
type recalled struct{ stray *stray }

func (m recalled) Deliver(time.Time) {
	m.stray.from.Table.vacate(m.stray.addr, occupant{away: m.stray})
}
