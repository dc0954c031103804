package dtls

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/udp"
)

// greetings are first ClientHellos, with what is in front of them, that wait until those who have a
// connection are served: each costs a shard more than a record does, and of a flood there are hundreds
// at once. It belongs to the shard's turn.
type greetings struct {
	ring  [maxGreetings]greeting
	first int // place of the oldest
	count int
}

// greeting is a datagram that waits.
type greeting struct {
	addr udp.Flow
	b    *[udp.BufferLen]byte
	n    int
}

// begins reports whether a datagram begins a handshake.
func begins(b []byte) bool { return handshake.IsFirstHello(b) || retry.IsReturn(b) }

// postpone keeps a copy of a datagram that begins a handshake for Greet. One for which there is no room
// is dropped: its sender repeats it. Who proves an address finds room where others do not.
func (s *Shard) postpone(addr udp.Flow, b []byte) {
	g, most := &s.greetings, maxHellos
	if retry.IsReturn(b) {
		most = maxGreetings
	}
	if g.count >= most {
		s.Drop(audit.DropBudget)
		return
	}
	buffer := s.Endpoint.buffers.Get().(*[udp.BufferLen]byte)
	g.ring[(g.first+g.count)%maxGreetings] = greeting{addr, buffer, copy(buffer[:], b)}
	g.count++
}

// Greet handles some of the datagrams that begin handshakes and have waited, and reports whether more
// wait.
func (s *Shard) Greet(now time.Time) (more bool) {
	g := &s.greetings
	if g.count == 0 {
		return false
	}
	s.Out.Acquire()
	defer s.Out.Release()
	for range min(g.count, greetAtOnce) {
		next := &g.ring[g.first]
		s.handle(now, next.addr, next.b[:next.n])
		s.Endpoint.buffers.Put(next.b)
		*next = greeting{}
		g.first = (g.first + 1) % maxGreetings
		g.count--
	}
	return g.count > 0
}
