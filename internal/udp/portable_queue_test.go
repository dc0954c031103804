package udp

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// What waits is a queue that forgets the oldest, whatever the order of arrivals and receives; a packet
// keeps its bytes until the next Receive; and there are as many buffers as have been needed at once.
func TestPortableQueue(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		chance := rand.New(rand.NewPCG(seed, 1))
		s := &portable{queue: make([]Packet, QueueLen), batch: make([]Packet, 0, BatchLen)}
		spare, next, lost := Packet{Buf: make([]byte, 0, BufferLen)}, uint64(0), uint64(0)
		var waits []uint64
		peak := 0
		for range 400 {
			for range chance.IntN(1 + int(seed)*BatchLen) {
				spare.Buf = binary.BigEndian.AppendUint64(spare.Buf[:0], next)
				spare = s.enqueue(spare)
				waits = append(waits, next)
				next++
				if len(waits) > QueueLen {
					waits, lost = waits[1:], lost+1
				}
			}
			peak = max(peak, len(waits)+len(s.batch))
			batch := s.Receive()
			if len(batch) != min(BatchLen, len(waits)) {
				t.Fatalf("%d packets of %d that wait", len(batch), len(waits))
			}
			for i := range 3 { // the reader goes on
				spare.Buf = binary.BigEndian.AppendUint64(spare.Buf[:0], next+uint64(i))
			}
			for i, p := range batch {
				if n := binary.BigEndian.Uint64(p.Buf); n != waits[i] {
					t.Fatalf("packet %d came in the place of %d", n, waits[i])
				}
			}
			waits = waits[len(batch):]
		}
		if s.drops.Load() != lost {
			t.Errorf("%d are counted of %d that were forgotten", s.drops.Load(), lost)
		}
		if seed == 3 && lost == 0 {
			t.Error("the queue was never full")
		}
		if made := s.count + len(s.batch) + len(s.free); made > peak+2*BatchLen {
			t.Errorf("%d buffers, where %d were in use", made, peak)
		}
	}
}
