package wire

import "encoding/binary"

// MaxVarint is the largest variable-length integer.
const MaxVarint = 1<<62 - 1

// AppendVarint appends v, at most MaxVarint, as a variable-length integer of RFC 9000 section 16 in
// its shortest form.
func AppendVarint(dst []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(dst, byte(v))
	case v < 1<<14:
		return append(dst, 1<<6|byte(v>>8), byte(v))
	case v < 1<<30:
		return binary.BigEndian.AppendUint32(dst, 2<<30|uint32(v))
	default:
		return binary.BigEndian.AppendUint64(dst, 3<<62|v)
	}
}

// VarintLen returns how many bytes AppendVarint appends.
func VarintLen(v uint64) int {
	switch {
	case v < 1<<6:
		return 1
	case v < 1<<14:
		return 2
	case v < 1<<30:
		return 4
	default:
		return 8
	}
}

// ParseVarint returns the integer at the front of b and its length, which is zero if it is cut off
// or not in its shortest form.
func ParseVarint(b []byte) (v uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = 1 << (b[0] >> 6)
	if len(b) < n {
		return 0, 0
	}
	v = uint64(b[0] & 0x3f)
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	if n > 1 && v < 1<<(8*n/2-2) {
		return 0, 0
	}
	return v, n
}
