package udp

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

const (
	// controlLen is room in bytes for a message's control messages: the length of
	// its segments (24), the time of its receipt (32), and the local address in
	// both families (32 and 40).
	controlLen = 128

	// wordLen is the size in bytes of a length in a control message, and what
	// control messages are aligned to.
	wordLen = unix.SizeofCmsghdr - 8
)

// control is what the kernel says about a message beside its payload. What it
// does not say is zero.
type control struct {
	segment int   // length in bytes of each datagram in it but the last
	stamp   int64 // when it was received, Unix ns by the system's clock
}

// parseControl reads control messages (cmsg(3)): length, level and type in the
// host's byte order, then the data. Those that it does not know it skips.
func parseControl(b []byte) (c control) {
	for len(b) > 0 {
		var level, typ uint32
		var data []byte
		level, typ, data, b = nextControl(b)
		switch {
		case level == unix.SOL_UDP && typ == unix.UDP_GRO && len(data) >= 4:
			c.segment = int(int32(binary.NativeEndian.Uint32(data)))
		case level == unix.SOL_SOCKET && typ == unix.SCM_TIMESTAMPNS && len(data) >= 2*wordLen:
			c.stamp = int64(word(data))*1e9 + int64(word(data[wordLen:]))
		}
	}
	return c
}

// nextControl splits the first control message off b. Of a malformed one, everything is zero, and
// nothing is left.
func nextControl(b []byte) (level, typ uint32, data, rest []byte) {
	if len(b) < unix.SizeofCmsghdr {
		return 0, 0, nil, nil
	}
	length := word(b)
	if length < unix.SizeofCmsghdr || length > uint64(len(b)) {
		return 0, 0, nil, nil
	}
	level, typ = binary.NativeEndian.Uint32(b[wordLen:]), binary.NativeEndian.Uint32(b[wordLen+4:])
	return level, typ, b[unix.SizeofCmsghdr:length], b[min((length+wordLen-1)&^(wordLen-1), uint64(len(b))):]
}

// word reads an unsigned C long.
func word(b []byte) uint64 {
	if wordLen == 4 {
		return uint64(binary.NativeEndian.Uint32(b))
	}
	return binary.NativeEndian.Uint64(b)
}
