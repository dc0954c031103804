package resume

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/sallyport/sallyport/replay"
)

// An unpacker reads what this package has sealed, from front to back. Once
// something is missing or wrong it is bad, stays bad and reads zeros.
type unpacker struct {
	left []byte
	bad  bool
}

// take returns the next n bytes, or nil and turns bad.
func (u *unpacker) take(n int) []byte {
	if u.bad || len(u.left) < n {
		u.bad = true
		return nil
	}
	b := u.left[:n]
	u.left = u.left[n:]
	return b
}

func (u *unpacker) require(ok bool) { u.bad = u.bad || !ok }

func (u *unpacker) fill(dst []byte) { copy(dst, u.take(len(dst))) }

func (u *unpacker) number(n int) (v uint64) {
	for _, b := range u.take(n) {
		v = v<<8 | uint64(b)
	}
	return v
}

func (u *unpacker) uint8() uint8   { return uint8(u.number(1)) }
func (u *unpacker) uint16() uint16 { return uint16(u.number(2)) }
func (u *unpacker) uint32() uint32 { return uint32(u.number(4)) }
func (u *unpacker) uint64() uint64 { return u.number(8) }

// bits reads a byte of flags, of which only those of known may be set.
func (u *unpacker) bits(known uint8) uint8 {
	b := u.uint8()
	u.require(b&^known == 0)
	return b
}

// item reads a length (2) and so many bytes.
func (u *unpacker) item() []byte { return u.take(int(u.uint16())) }

// network reads a prefix as appendNetwork writes it.
func (u *unpacker) network() (p netip.Prefix) {
	if b := u.item(); len(b) > 0 {
		u.require(p.UnmarshalBinary(b) == nil && p.IsValid() && p == p.Masked())
	}
	return p
}

func (u *unpacker) done() bool { return !u.bad && len(u.left) == 0 }

func appendItem[T string | []byte](dst []byte, item T) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(item)))
	return append(dst, item...)
}

// appendNetwork appends an item: nothing, or address (4 or 16) and number of
// bits (1).
func appendNetwork(dst []byte, p netip.Prefix) []byte {
	if p = p.Masked(); !p.IsValid() {
		return appendItem(dst, "")
	}
	b, _ := p.MarshalBinary() // never fails
	return appendItem(dst, b)
}

// bits is a byte of flags, the first one lowest.
func bits(flags ...bool) (b byte) {
	for i, set := range flags {
		if set {
			b |= 1 << i
		}
	}
	return b
}

// clone returns a copy of the next n bytes.
func (u *unpacker) clone(n int) []byte { return slices.Clone(u.take(n)) }

func (u *unpacker) window() *replay.Window {
	if u.bad {
		return nil
	}
	w, rest, err := replay.ParseState(u.left)
	u.require(err == nil)
	u.left = rest
	return &w
}

// local is an address without a port, or none.
func (u *unpacker) local() netip.Addr {
	b := u.item()
	a, ok := netip.AddrFromSlice(b)
	u.require(ok || len(b) == 0)
	return a
}

func (u *unpacker) addr() netip.AddrPort {
	b := u.item()
	n := max(0, len(b)-2)
	a, ok := netip.AddrFromSlice(b[:n])
	u.require(ok)
	if u.bad {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[n:]))
}
