package resume

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/sallyport/sallyport/internal/cursor"
	"github.com/sallyport/sallyport/replay"
)

// An unpacker reads bytes that this package has sealed.
type unpacker struct{ cursor.Cursor }

func newUnpacker(b []byte) unpacker { return unpacker{cursor.New(b)} }

// bits reads a byte of flags, of which only those of known may be set.
func (u *unpacker) bits(known uint8) uint8 {
	b := u.Uint8()
	u.Require(b&^known == 0)
	return b
}

// item reads a length (2) and so many bytes.
func (u *unpacker) item() []byte { return u.Take(int(u.Uint16())) }

// network reads a prefix as appendNetwork writes it.
func (u *unpacker) network() (p netip.Prefix) {
	if b := u.item(); len(b) > 0 {
		u.Require(p.UnmarshalBinary(b) == nil && p.IsValid() && p == p.Masked())
	}
	return p
}

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

// bits returns a byte of flags, the first one lowest.
func bits(flags ...bool) (b byte) {
	for i, set := range flags {
		if set {
			b |= 1 << i
		}
	}
	return b
}

// clone returns a copy of the next n bytes.
func (u *unpacker) clone(n int) []byte { return slices.Clone(u.Take(n)) }

func (u *unpacker) window() *replay.Window {
	if u.Bad() {
		return nil
	}
	w, rest, err := replay.ParseState(u.Left())
	u.Require(err == nil)
	u.Take(len(u.Left()) - len(rest))
	return &w
}

// local reads an address without a port, or none.
func (u *unpacker) local() netip.Addr {
	b := u.item()
	a, ok := netip.AddrFromSlice(b)
	u.Require(ok || len(b) == 0)
	return a
}

func (u *unpacker) addr() netip.AddrPort {
	b := u.item()
	n := max(0, len(b)-2)
	a, ok := netip.AddrFromSlice(b[:n])
	u.Require(ok)
	if u.Bad() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[n:]))
}
