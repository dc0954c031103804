package dtls

import (
	"sync/atomic"

	"github.com/sallyport/sallyport/internal/udp"
)

// shedding is how much of a flood of ClientHellos the sockets shed before it fills their receive
// buffers, where it would displace what players send. But for sheds it belongs to the first shard's turn.
type shedding struct {
	level    int         // they keep one in 2^level
	sheds    atomic.Bool // whether they keep not all; for all shards to see
	overflow uint64      // of all sockets, when last looked at
	calm     int         // how often since then nothing has overflowed
}

// smallDatagram is what the kernel accounts for a small datagram in a receive buffer, in bytes.
const smallDatagram = 768

// shed looks at the receive buffers: where one overflows during a flood, or had been half full before a turn, all
// sockets keep half as many handshake records as before. Without a flood, what overflows is the
// players', for whom nothing is won by it.
func (f *shedding) shed(all []*Shard, flooded bool) {
	var overflow uint64
	pressed := false
	for _, s := range all {
		if f.level > 0 {
			udp.Shed(s.Socket, f.level)
		}
		st := s.Socket.Stats()
		overflow += st.Overflow
		found := int(s.counts.longest.Swap(0)) * smallDatagram
		pressed = pressed || st.ReceiveBuffer > 0 && 2*max(st.Waiting, found) >= st.ReceiveBuffer
	}
	pressed = pressed || overflow > f.overflow
	f.overflow = overflow
	level := f.next(flooded, pressed)
	if level == f.level {
		return
	}
	f.level = level
	f.sheds.Store(level > 0)
	for _, s := range all {
		udp.Shed(s.Socket, level)
	}
}

// next returns the level that follows.
func (f *shedding) next(flooded, pressed bool) int {
	switch {
	case pressed:
		f.calm = 0
		if flooded && f.level < maxShed {
			return f.level + 1
		}
	case f.level > 0:
		if f.calm++; f.calm >= shedCalm {
			f.calm = 0
			return f.level - 1
		}
	}
	return f.level
}
