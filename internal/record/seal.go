package record

import (
	"encoding/binary"
	"slices"
)

// Seal appends one protected record to dst and returns the longer slice. The plaintext may be
// anywhere, or exactly where its ciphertext goes, at dst[len(dst)+Prefix:]. If dst has room for the
// plaintext and Overhead, Seal does not allocate. On ErrExhausted and ErrTooLarge it returns dst
// unchanged and uses no record number.
//
// Owner: one goroutine, which may differ from Open's.
func (c *Conn) Seal(dst []byte, typ ContentType, plaintext []byte) ([]byte, error) {
	if c.next >= MaxRecords || !c.out.ready() {
		return dst, ErrExhausted
	}
	if len(plaintext) > MaxPlaintext {
		return dst, ErrTooLarge
	}
	h := Header{Type: typ, Version: Version, Epoch: epoch, Seq: c.next, Length: nonceLen + len(plaintext) + tagLen}
	dst = slices.Grow(dst, Overhead+len(plaintext))
	start := len(dst)
	dst = dst[:start+Prefix]
	h.put(dst[start:])
	binary.BigEndian.PutUint64(dst[start+HeaderLen:], c.nonce())
	c.next++
	c.out.prepare(dst[start+HeaderLen:], h, len(plaintext))
	return c.out.aead.Seal(dst, c.out.nonce[:], plaintext, c.out.ad[:]), nil
}

// nonce returns the explicit nonce of the next record.
func (c *Conn) nonce() uint64 {
	if c.hasID {
		return uint64(c.id)<<32 | c.next // next stays below MaxRecords
	}
	return counted(c.next)
}

// SetConnectionID sets the connection id with which every later record begins its explicit nonce, so that
// the other end finds the connection from any address. The record number continues, so nonces stay
// unique whatever ids follow each other. An id that begins with 0x0000 or 0x0001, or that began a
// nonce of the handshake, is refused: SetConnectionID reports whether it was taken. Owner: that of Seal.
func (c *Conn) SetConnectionID(id uint32) bool {
	began := func(n uint64) bool { return uint32(n>>32) == id }
	if id>>16 <= epoch || slices.ContainsFunc(c.spent, began) {
		return false
	}
	c.id, c.hasID = id, true
	return true
}

// Reseal opens a record that this end's handshake sealed and appends its plaintext to dst as a new
// record. A lost Finished is sent again this way (RFC 6347 4.2.4), without repeating a record
// number or a nonce. rec is not changed. Owner: that of Seal.
func (c *Conn) Reseal(dst, rec []byte) ([]byte, error) {
	h, ok := ParseHeader(rec)
	if !ok || !h.protected() || h.Length != len(rec)-HeaderLen || len(rec) < Overhead {
		return dst, ErrRecord
	}
	if !c.out.ready() {
		return dst, ErrExhausted
	}
	c.out.prepare(rec[HeaderLen:Prefix], h, len(rec)-Overhead)
	plaintext, err := c.out.aead.Open(nil, c.out.nonce[:], rec[Prefix:], c.out.ad[:])
	if err != nil {
		return dst, ErrRecord
	}
	return c.Seal(dst, h.Type, plaintext)
}
