package netsim

import (
	"cmp"
	"net/netip"
	"time"
)

// datagram is one on its way. The network owns data.
type datagram struct {
	from, to netip.AddrPort
	data     []byte

	due   time.Time
	order uint64 // among those of one link
	index int    // in flight, -1 once delivered
	last  bool   // nothing but the receive queue comes behind
}

// flight is a heap: earliest first, then by address, then in order of sending.
type flight []*datagram

func (f flight) Len() int { return len(f) }

func (f flight) Less(i, j int) bool {
	a, b := f[i], f[j]
	return cmp.Or(a.due.Compare(b.due), a.from.Compare(b.from), a.to.Compare(b.to), cmp.Compare(a.order, b.order)) < 0
}

func (f flight) Swap(i, j int) {
	f[i], f[j] = f[j], f[i]
	f[i].index, f[j].index = i, j
}

func (f *flight) Push(x any) {
	d := x.(*datagram)
	d.index = len(*f)
	*f = append(*f, d)
}

func (f *flight) Pop() any {
	n := len(*f) - 1
	d := (*f)[n]
	(*f)[n], d.index = nil, -1
	*f = (*f)[:n]
	return d
}
