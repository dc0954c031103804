package nakamabridge

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strings"

	"github.com/heroiclabs/nakama-common/runtime"
)

var errDatagram = errors.New("nakamabridge: no op code")

// parseDatagram parses the layout drawn in the package comment. data is part of b and lives as long
// as b does.
func parseDatagram(b []byte) (op int64, data []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > math.MaxInt64 || n > 1 && b[n-1] == 0 {
		return 0, nil, errDatagram
	}
	return int64(v), b[n:], nil
}

// appendDatagram appends it to dst. sender is empty for a client that has not asked for it. It
// returns false for a negative op code, and for data with which it has more than limit bytes.
func appendDatagram(dst []byte, limit int, op int64, sender, data []byte) ([]byte, bool) {
	if op < 0 || len(data) >= limit {
		return dst, false // data for sockets may be long, and is not copied
	}
	from := len(dst)
	b := append(append(binary.AppendUvarint(dst, uint64(op)), sender...), data...)
	return b, len(b)-from <= limit
}

// senderID returns a presence's user id in binary, as a datagram has it; zero for none, and for one
// that is no UUID.
func senderID(p runtime.Presence) (id [16]byte) {
	if p == nil {
		return id
	}
	digits := strings.ReplaceAll(p.GetUserId(), "-", "")
	if b, err := hex.DecodeString(digits); err == nil && len(b) == len(id) {
		return [16]byte(b)
	}
	return id
}
