package record

import (
	"encoding/binary"
	"strconv"
)

// ContentType is the first byte of a record (RFC 5246 6.2.1).
type ContentType uint8

// The content types of DTLS 1.2. Epoch 1 uses the last three.
const (
	ChangeCipherSpec ContentType = 20
	Alert            ContentType = 21
	Handshake        ContentType = 22
	ApplicationData  ContentType = 23
)

// String returns the name RFC 5246 gives the type.
func (t ContentType) String() string {
	switch t {
	case ChangeCipherSpec:
		return "change_cipher_spec"
	case Alert:
		return "alert"
	case Handshake:
		return "handshake"
	case ApplicationData:
		return "application_data"
	}
	return "content type " + strconv.Itoa(int(t))
}

// Version is DTLS 1.2 on the wire; a first ClientHello may still be marked Version10.
const (
	Version   = 0xfefd
	Version10 = 0xfeff
)

// epoch is the only one that this package protects, and maxSeq the last record number of 48 bits.
const (
	epoch  = 1
	maxSeq = 1<<48 - 1
)

// Header is the plaintext header of a record of any epoch. It is not authenticated before Open.
type Header struct {
	Type    ContentType
	Version uint16
	Epoch   uint16
	Seq     uint64 // record number, 48 bits
	Length  int    // of the rest of the record, in bytes
}

// ParseHeader reads the header at the start of b. It is false when b is shorter than HeaderLen.
func ParseHeader(b []byte) (Header, bool) {
	if len(b) < HeaderLen {
		return Header{}, false
	}
	return Header{
		Type:    ContentType(b[0]),
		Version: binary.BigEndian.Uint16(b[1:]),
		Epoch:   binary.BigEndian.Uint16(b[3:]),
		Seq:     binary.BigEndian.Uint64(b[3:]) & maxSeq,
		Length:  int(binary.BigEndian.Uint16(b[11:])),
	}, true
}

// put writes the header of a protected record of epoch 1 over b[:HeaderLen].
func (h Header) put(b []byte) {
	b[0] = byte(h.Type)
	binary.BigEndian.PutUint16(b[1:], h.Version)
	binary.BigEndian.PutUint64(b[3:], uint64(h.Epoch)<<48|h.Seq)
	binary.BigEndian.PutUint16(b[11:], uint16(h.Length))
}

// Next splits the first record, header included, off a datagram. Both results are parts of
// datagram. ok is false if no whole record is left; drop the remainder then.
func Next(datagram []byte) (rec, rest []byte, ok bool) {
	h, ok := ParseHeader(datagram)
	if !ok || len(datagram) < HeaderLen+h.Length {
		return nil, nil, false
	}
	n := HeaderLen + h.Length
	return datagram[:n:n], datagram[n:], true
}

// CloseNotify is the plaintext of the alert that says the sender is leaving (RFC 5246 7.2.1).
var CloseNotify = [2]byte{1, 0}

// IsCloseNotify reports whether the plaintext of an Alert record is a close_notify of any level.
func IsCloseNotify(alert []byte) bool {
	return len(alert) == len(CloseNotify) && alert[1] == CloseNotify[1]
}
