package netsim

import (
	"net/netip"
	"time"
)

// bottleneck sends one packet after the other, in the order in which they come, and as fast as
// Impairment.Bandwidth says. The lock of its line guards it.
//
//	         wait: at most Impairment.Queue             bits / Bandwidth
//	now ───▶ ┃ packets before it ┃ ───────▶ until free ───────────────▶ behind the bottleneck
type bottleneck struct {
	free time.Time // when it has sent all that it has taken
	rest int64     // what free leaves out: less than a nanosecond, in units of 1/bandwidth ns
	rate int64     // the bandwidth that rest is of
}

// pass takes a packet of size bytes at now, and returns when it is through. It reports false if the
// queue is full.
func (b *bottleneck) pass(now time.Time, im Impairment, size int) (time.Time, bool) {
	if im.Bandwidth == 0 {
		return now, true
	}
	if b.rate != im.Bandwidth {
		b.rest, b.rate = 0, im.Bandwidth
	}
	switch wait := b.free.Sub(now); {
	case wait > im.Queue:
		return now, false
	case wait < 0:
		b.free, b.rest = now, 0
	}
	work := int64(size)*8*int64(time.Second) + b.rest
	b.free, b.rest = b.free.Add(time.Duration(work/b.rate)), work%b.rate
	return b.free, true
}

// packetSize is how many bytes a UDP payload has as an IP packet from or to addr.
func packetSize(payload int, addr netip.Addr) int {
	if addr.Unmap().Is4() {
		return payload + headerIPv4
	}
	return payload + headerIPv6
}
