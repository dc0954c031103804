package handshake

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/sallyport/sallyport/internal/record"
)

// Who does not see a handshake cannot write into it. A client numbers its records of epoch 0 from a
// random number on. A server's answer has the number of the ClientHello that it answers (RFC 6347
// 4.2.1), and the records that follow go on from there. Each end drops those of epoch 0 whose numbers
// are far from it: they are forged, or left over from an earlier handshake between the same addresses.

// numbers are the record numbers of epoch 0 that the peer may use. The zero value is all of them.
type numbers struct {
	near  uint64 // that of a ClientHello
	bound bool
}

// has reports whether number is one of them.
func (n numbers) has(number uint64) bool {
	return !n.bound || number-n.near+maxDistance <= 2*maxDistance
}

// randomNumber returns a client's first record number. It is of 47 bits, so that those that follow have
// 48.
func randomNumber() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) >> 17
}

// numbering is of the records of epoch 0 that an end sends: its engine counts from 0. Conn.out guards it.
type numbering struct {
	first  uint64 // added to the engine's numbers
	set    bool   // a server's first is known
	buffer []byte // the datagram that is sent
}

// renumber replaces the engine's record number in a record. The caller holds out.
func (c *Conn) renumber(rec []byte) {
	h, _ := record.ParseHeader(rec)
	if h.Epoch != 0 {
		return
	}
	n := &c.numbering
	switch body := rec[record.HeaderLen:]; {
	case c.server && h.Type == record.Handshake && len(body) > 0 && body[0] == helloVerify:
		setNumber(rec, c.helloNumber())
		return
	case c.server && !n.set:
		n.set, n.first = true, c.helloNumber()-h.Seq
	}
	setNumber(rec, h.Seq+n.first)
}

// helloNumber returns the record number of the ClientHello that a server answers.
func (c *Conn) helloNumber() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.filter.numbers.bound {
		return c.filter.numbers.near
	}
	h, _ := record.ParseHeader(c.greeting.header)
	return h.Seq
}

// setNumber writes the record number of a record of epoch 0, modulo 2^48: a peer may have begun near its end.
func setNumber(rec []byte, number uint64) { binary.BigEndian.PutUint64(rec[3:], number&(1<<48-1)) }
