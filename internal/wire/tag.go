package wire

import (
	"crypto/subtle"
	"encoding/binary"
)

// Tag is the first 8 bytes of AES-128-CMAC (RFC 4493), under the direction's datagram key, over the
// one block that TagInput makes. It says: this session, now, this one time, on this connection.
type Tag [8]byte

// Equal compares in constant time.
func (t Tag) Equal(o Tag) bool { return subtle.ConstantTimeCompare(t[:], o[:]) == 1 }

// TagInput writes the block that the tag of one datagram covers:
//
//	offset size
//	     0    1  version and kind, as in the header
//	     1    1  flags and epoch, as in the header
//	     2    4  session id
//	     6    8  sequence: all 64 bits
//	    14    2  body length in bytes
//
// The body itself is authenticated by the record. bodyLen is 0 to MaxBody.
func TagInput(dst *[16]byte, kind Kind, flagsEpoch uint8, session uint32, seq uint64, bodyLen int) {
	dst[0] = Version<<4 | byte(kind)
	dst[1] = flagsEpoch
	binary.BigEndian.PutUint32(dst[2:], session)
	binary.BigEndian.PutUint64(dst[6:], seq)
	binary.BigEndian.PutUint16(dst[14:], uint16(bodyLen))
}
