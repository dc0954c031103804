package nakamabridge

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/sallyport/sallyport/internal/wire"
)

var errDatagram = errors.New("nakamabridge: no op code")

// parseDatagram reads what the package comment draws. data is part of b and lives as long as b does.
func parseDatagram(b []byte) (op int64, data []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > math.MaxInt64 || n > 1 && b[n-1] == 0 {
		return 0, nil, errDatagram
	}
	return int64(v), b[n:], nil
}

// appendDatagram writes it behind dst. It reports false for an op code below zero and for what does not fit a payload.
func appendDatagram(dst []byte, op int64, data []byte) ([]byte, bool) {
	if op < 0 || len(data) >= wire.MaxBody {
		return dst, false // what is for sockets alone may be long: it is not copied
	}
	from := len(dst)
	b := append(binary.AppendUvarint(dst, uint64(op)), data...)
	return b, len(b)-from <= wire.MaxBody
}
