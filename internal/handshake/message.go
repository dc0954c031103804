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

// messageHeaderLen is the length of the header before every handshake message or fragment (RFC 6347
// 4.2.2): type 1, length 3, message_seq 2, fragment offset 3, fragment length 3.
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

// IsFirstHello reports whether a datagram begins a handshake: it holds only a ClientHello for DTLS
// 1.2 with message number 0, or fragments of one, the first at offset 0 with everything before the
// extensions. A malformed ClientHello does not count. The records, of epoch 0, may carry version
// DTLS 1.0.
func IsFirstHello(datagram []byte) bool {
	m, ok := helloOf(datagram)
	if !ok || m.seq != 0 || m.from != 0 {
		return false
	}
	_, ok = readOffer(m.body, m.length)
	return ok
}

// Random returns the random bytes of a datagram for which IsFirstHello is true: retransmissions
// have the same.
func Random(datagram []byte) (random [32]byte) {
	copy(random[:], datagram[record.HeaderLen+messageHeaderLen+2:]) // after client_version
	return random
}

// helloOf returns the ClientHello that fills a datagram, or the first of several fragments that
// fill it and follow each other: a client whose records are shorter than its datagrams sends
// several in one.
func helloOf(datagram []byte) (first message, ok bool) {
	var last message
	for rest := datagram; len(rest) > 0; {
		rec, more, ok := record.Next(rest)
		if !ok {
			return message{}, false
		}
		rest = more
		if h, _ := record.ParseHeader(rec); h.Type != record.Handshake || h.Epoch != 0 || !known(h.Version) {
			return message{}, false
		}
		for body := rec[record.HeaderLen:]; ; {
			m, left, ok := nextMessage(body)
			switch {
			case !ok || m.typ != clientHello:
				return message{}, false
			case last.body == nil:
				first = m
			case m.seq != last.seq || m.length != last.length || m.from != last.to || m.from == m.to:
				return message{}, false
			}
			last = m
			if body = left; len(body) == 0 {
				break
			}
		}
	}
	return first, last.body != nil
}

// known reports whether a record version may occur in a handshake.
func known(version uint16) bool { return version == record.Version || version == record.Version10 }

// IsFinished reports whether the plaintext of a handshake record of epoch 1 is a whole Finished,
// which a server answers with Resend if it opens under the connection's keys.
func IsFinished(plaintext []byte) bool {
	m, rest, ok := nextMessage(plaintext)
	return ok && m.typ == finished && m.from == 0 && m.to == m.length && len(plaintext) == finishedLen && len(rest) == 0
}
