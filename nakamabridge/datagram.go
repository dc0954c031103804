package nakamabridge

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/sallyport/sallyport/transport"
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

// appendDatagram appends it to dst. It returns false for a negative op code and for data that does
// not fit a payload.
func appendDatagram(dst []byte, op int64, data []byte) ([]byte, bool) {
	if op < 0 || len(data) >= transport.MaxPayload {
		return dst, false // data for sockets may be long, and is not copied
	}
	from := len(dst)
	b := append(binary.AppendUvarint(dst, uint64(op)), data...)
	return b, len(b)-from <= transport.MaxPayload
}
