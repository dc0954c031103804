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
		switch c := s.Table.At(addr); {
		case c == nil:
			s.drainUnlisted(now, addr, b)
		case c.names(b) && s.roamed(now, addr, b):
		case hears(c):
			c.records(now, b)
		}
	}
	s.roaming.hears = hears
	defer func() { s.roaming.hears = nil }()
	s.forwarding.take(len(s.forwarding.queue), func(f forwarded) { handle(f.addr, f.b[:f.n]) })
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
	if s.roamed(now, addr, b) {
		return
	}
	if t := s.Table.away(addr); t != nil {
		s.forward(t.to, addr, b)
	}
}
