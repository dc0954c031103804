package dtls

import (
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// Drain is a turn of a shard that is about to close: it hears the connections of which hears
// reports true, and nothing else.
func (s *Shard) Drain(now time.Time, hears func(c *Conn) bool) {
	handle := func(addr udp.Flow, b []byte) {
		if len(b) == 0 || len(b) > MaxDatagram {
			return
		}
		if c := s.Table.At(addr); c == nil {
			s.drainUnlisted(now, addr, b)
		} else if hears(c) {
			c.records(now, b)
		}
	}
	for range len(s.forwarding.queue) {
		f := <-s.forwarding.queue
		handle(f.addr, f.b[:f.n])
		s.Endpoint.buffers.Put(f.b)
	}
	sources := []receiver{s.Socket}
	if s.carrier != nil {
		sources = append(sources, s.carrier)
	}
	for _, from := range sources {
		for n := 0; n < maxPerTurn; {
			packets := from.Receive()
			for _, p := range packets {
				handle(p.Addr, p.Buf)
			}
			if n += len(packets); len(packets) < udp.BatchLen {
				break
			}
		}
	}
}

// drainUnlisted is for an address that no connection has here.
func (s *Shard) drainUnlisted(now time.Time, addr udp.Flow, b []byte) {
	if s.forwardStray(addr, b) {
		return
	}
	home, c, roamer := s.named(b)
	switch {
	case home != nil:
		s.forward(home, addr, b)
	case roamer != nil:
		c.elsewhere(now, roamer, addr, b)
	}
}
