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
// at once. While some are handled, others arrive. It belongs to the shard's turn.
type greetings struct{ handled, arriving clump }

// clump is datagrams in the order in which they came.
type clump struct {
	list  []greeting
	bytes []byte // of all of them
	next  int    // of list
}

// greeting is a datagram: its bytes end where those of the next one begin.
type greeting struct {
	addr udp.Flow
	end  int
}

// begins reports whether a datagram begins a handshake.
func begins(b []byte) bool {
	if r, ok := retry.ParseReturn(b); ok {
		b = r.Records
	}
	return handshake.IsFirstHello(b)
}

// postpone keeps a copy of a datagram that begins a handshake for Greet. One for which there is no room
// is dropped: its sender repeats it. Who proves an address finds room where others do not.
func (s *Shard) postpone(now time.Time, addr udp.Flow, b []byte) {
	c := &s.greetings.arriving
	full := len(c.list) >= maxGreetings || len(c.bytes)+len(b) > maxGreetingBytes
	crowded := len(c.list) >= maxHellos || len(c.bytes)+len(b) > maxHelloBytes
	if full || crowded && !s.Handshakes.proofs.proves(now, addr, b) {
		s.Drop(audit.DropBudget)
		return
	}
	c.bytes = append(c.bytes, b...)
	c.list = append(c.list, greeting{addr, len(c.bytes)})
}

// Greet handles some of the datagrams that begin handshakes and have waited, after a turn of n
// datagrams, and reports whether more wait.
func (s *Shard) Greet(now time.Time, n int) (more bool) {
	g := &s.greetings
	if !g.more() {
		return false
	}
	s.Out.Acquire()
	defer s.Out.Release()
	for range max(n/greetShare, greetAtOnce) {
		if !g.more() {
			return false
		}
		addr, b := g.handled.take()
		s.handle(now, addr, b)
	}
	return g.more()
}

// more reports whether some wait, which handled has then.
func (g *greetings) more() bool {
	if g.handled.next < len(g.handled.list) {
		return true
	}
	g.handled, g.arriving = g.arriving, clump{list: g.handled.list[:0], bytes: g.handled.bytes[:0]}
	return len(g.handled.list) > 0
}

// take returns the next one. Its bytes are valid until more is called.
func (c *clump) take() (addr udp.Flow, b []byte) {
	from := 0
	if c.next > 0 {
		from = c.list[c.next-1].end
	}
	next := &c.list[c.next]
	c.next++
	return next.addr, c.bytes[from:next.end:next.end]
}
