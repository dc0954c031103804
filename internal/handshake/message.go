package handshake

import (
	"encoding/binary"

	"github.com/sallyport/sallyport/internal/record"
)

// Handshake message types (RFC 5246 7.4).
const (
	clientHello        = 1
	serverHello        = 2
	helloVerify        = 3
	certificate        = 11
	certificateRequest = 13
	certificateVerify  = 15
	clientKeyExchange  = 16
	finished           = 20
)

// messageHeaderLen is the length of the header before every handshake message or fragment (RFC 6347 4.2.2):
// type 1, length 3, message_seq 2, fragment offset 3, fragment length 3.
const messageHeaderLen = 12

// finishedLen is the length of a Finished in plaintext: header and verify_data.
const finishedLen = messageHeaderLen + 12

// message is a handshake message or a fragment of one.
type message struct {
	typ              byte
	seq              uint16
	length, from, to int // of the whole message; of this fragment within it
	body             []byte
}

// nextMessage splits the first message or fragment off the body of a handshake record.
func nextMessage(b []byte) (m message, rest []byte, ok bool) {
	if len(b) < messageHeaderLen {
		return message{}, nil, false
	}
	uint24 := func(b []byte) int { return int(binary.BigEndian.Uint32(b) >> 8) }
	m = message{typ: b[0], seq: binary.BigEndian.Uint16(b[4:]), length: uint24(b[1:]), from: uint24(b[6:])}
	n := int(b[9])<<16 | int(b[10])<<8 | int(b[11])
	m.to = m.from + n
	if m.to > m.length || len(b) < messageHeaderLen+n {
		return message{}, nil, false
	}
	m.body = b[messageHeaderLen:][:n]
	return m, b[messageHeaderLen+n:], true
}

// IsFirstHello reports whether a datagram is the first of a handshake: one record of epoch 0, in it one ClientHello
// for DTLS 1.2 with message number 0, or the first fragment of one that holds all before the extensions. A malformed
// one is none. The record may be marked DTLS 1.0.
func IsFirstHello(datagram []byte) bool {
	m, ok := helloOf(datagram)
	if !ok || m.seq != 0 || m.from != 0 {
		return false
	}
	_, ok = readOffer(m.body, m.length)
	return ok
}

// Random returns the random bytes of a datagram for which IsFirstHello is true: retransmissions have the same.
func Random(datagram []byte) (random [32]byte) {
	copy(random[:], datagram[record.HeaderLen+messageHeaderLen+2:]) // after client_version
	return random
}

// helloOf returns the ClientHello, or the one fragment of one, that is all of a datagram, in a single record.
func helloOf(datagram []byte) (message, bool) {
	h, ok := record.ParseHeader(datagram)
	if !ok || h.Type != record.Handshake || h.Epoch != 0 || !known(h.Version) || h.Length != len(datagram)-record.HeaderLen {
		return message{}, false
	}
	m, rest, ok := nextMessage(datagram[record.HeaderLen:])
	return m, ok && len(rest) == 0 && m.typ == clientHello
}

// known tells whether a record version may occur in a handshake.
func known(version uint16) bool { return version == record.Version || version == record.Version10 }

// IsFinished tells whether the plaintext of a handshake record of epoch 1 is a whole Finished: what a server
// answers with Resend when it opens under the connection's keys.
func IsFinished(plaintext []byte) bool {
	m, rest, ok := nextMessage(plaintext)
	return ok && m.typ == finished && m.from == 0 && m.to == m.length && len(plaintext) == finishedLen && len(rest) == 0
}
