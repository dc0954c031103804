package dtls

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// Turns is full while somebody runs the shard.
type Turns chan struct{}

// Begin waits for the turn. It reports false if done is closed before.
func (t Turns) Begin(done <-chan struct{}) bool {
	select {
	case t <- struct{}{}:
		return true
	case <-done:
		return false
	}
}

// Try reports whether nobody else has the turn.
func (t Turns) Try() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

// End lets the next one run the shard.
func (t Turns) End() { <-t }

// Turn handles everything that has arrived, once, and returns how many datagrams that were, and the
// time. It reads the clocks with each batch that it receives, and no more often.
func (s *Shard) Turn(now time.Time) (n int, _ time.Time) {
	began := now
	s.waiting.note(began)
	s.waiting.ran = began
	s.Delivered(now)
	packets, others := s.Socket.Receive(), len(s.forwarding.queue)
	var carried []udp.Packet
	if s.carrier != nil {
		carried = s.carrier.Receive()
	}
	if len(packets)+len(carried)+others > 0 {
		now = s.waiting.look()
	}
	s.forwarding.take(others, func(f forwarded) {
		s.waiting.stamp = f.stamp
		s.Datagram(now, f.addr, f.b[:f.n])
	})
	n, all, now := s.batches(now, packets, s.Socket)
	if s.carrier != nil {
		m, every, later := s.batches(now, carried, s.carrier)
		n, all, now = n+m, all && every, later
	}
	if all {
		s.waiting.emptied(began)
	}
	s.waiting.stamp = 0
	s.counts.received.Add(uint64(n))
	if int64(n) > s.counts.longest.Load() {
		s.counts.longest.Store(int64(n))
	}
	s.User.Turned(now)
	s.Sweep(now)
	return n, now
}

// receiver is a udp.Socket or a *udp.Carrier.
type receiver interface{ Receive() []udp.Packet }

// batches handles what has been received and what can be received more, up to maxPerTurn. It reports
// whether that was all, and returns the time of the last batch.
func (s *Shard) batches(now time.Time, packets []udp.Packet, from receiver) (n int, all bool, _ time.Time) {
	for {
		for some := range slices.Chunk(packets, PrefetchLen) {
			s.datagrams(now, some)
		}
		n += len(packets)
		if len(packets) < udp.BatchLen {
			return n, true, now
		}
		if n >= maxPerTurn {
			return n, false, now
		}
		packets = from.Receive()
		now = s.waiting.look()
	}
}

// datagrams handles a few packets, whose memory is fetched beforehand when there
// are so many connections that it will not be at hand.
func (s *Shard) datagrams(now time.Time, packets []udp.Packet) {
	crowded := len(s.Table.order) >= PrefetchFrom
	if crowded {
		s.Table.prefetch(packets, s.User)
	}
	for i := range packets {
		if crowded {
			s.Table.last = s.Table.ahead.found[i]
		}
		s.waiting.stamp = packets[i].Stamp
		s.Datagram(now, packets[i].Addr, packets[i].Buf)
	}
}
