package resume

import (
	"encoding/binary"
	"net/netip"
)

// LiveAddress is an address at which a session lives, or has lived lately. The new process reserves
// room for its players. Of an IPv6 /64 it is the first.
type LiveAddress struct {
	Addr netip.Addr
	Seen int64 // Unix ms, when a session last lived there
}

// appendTo appends the content of an entry:
//
//	offset size
//	     0    8  when a session last lived there, Unix milliseconds
//	     8       address (4 or 16)
func (e *LiveAddress) appendTo(dst []byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(e.Seen)), e.Addr.AsSlice()...)
}

func parseLiveAddress(b []byte) (e LiveAddress, ok bool) {
	u := newUnpacker(b)
	e.Seen = int64(u.Uint64())
	if u.Bad() {
		return e, false
	}
	e.Addr, ok = netip.AddrFromSlice(u.Left())
	return e, ok
}
