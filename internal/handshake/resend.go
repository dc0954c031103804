package handshake

import (
	"encoding/binary"

	"github.com/sallyport/sallyport/internal/record"
)

// A Flight is the server's last flight: its ChangeCipherSpec and its Finished.
type Flight []byte

// Resend appends the flight to dst as one new datagram: its ChangeCipherSpec under the next record
// number of epoch 0 and its Finished, sealed again by c under the next one of epoch 1. It is the
// answer to a Finished of the client that opened under the connection's keys, "whenever the final
// flight is lost" (RFC 6347 4.2.4), within the first two minutes and no more often than Retransmit.
// A record of epoch 0, or one that does not open, is never answered. Not safe for concurrent use; c
// is used as Seal uses it.
func (f Flight) Resend(c *record.Conn, dst []byte) ([]byte, error) {
	ccs, fin, ok := record.Next(f)
	if !ok {
		return dst, record.ErrRecord
	}
	seq := binary.BigEndian.Uint64(ccs[3:]) + 1 // epoch 0 and 48 bits of record number
	binary.BigEndian.PutUint64(ccs[3:], seq)
	return c.Reseal(append(dst, ccs...), fin)
}
