//go:build linux

package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
)

// Lengths in bytes of a DTLS 1.2 record with AES-GCM.
const (
	headerLen = 13
	nonceLen  = 8
	tagLen    = 16
)

var errRecord = errors.New("bench: not a record of ours")

// bareRecord does what cannot be left out of a DTLS record: header, nonce, one
// AES-128-GCM operation. Keys are fixed and nothing is remembered.
type bareRecord struct {
	in, out           cipher.AEAD
	inNonce, outNonce [12]byte
	ad                [13]byte // of in
	outAD             [13]byte
	sequence          uint64
}

func newBareRecord(server bool) *bareRecord {
	a, b := fixedAEAD(1), fixedAEAD(2)
	if server {
		a, b = b, a
	}
	return &bareRecord{in: a, out: b}
}

func fixedAEAD(key byte) cipher.AEAD {
	block, err := aes.NewCipher([]byte{15: key})
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has blocks of 16 bytes
	}
	return aead
}

// open decrypts in place.
func (r *bareRecord) open(b []byte) ([]byte, error) {
	n := len(b) - headerLen - nonceLen - tagLen
	if n < 0 || b[0] != 23 {
		return nil, errRecord
	}
	copy(r.inNonce[4:], b[headerLen:])
	copy(r.ad[:8], b[3:11])
	copy(r.ad[8:11], b[:3])
	binary.BigEndian.PutUint16(r.ad[11:], uint16(n))
	sealed := b[headerLen+nonceLen:]
	return r.in.Open(sealed[:0], r.inNonce[:], sealed, r.ad[:])
}

// seal appends a record to dst.
func (r *bareRecord) seal(dst, p []byte) []byte {
	r.sequence++
	h := [headerLen + nonceLen]byte{23, 0xfe, 0xfd}
	binary.BigEndian.PutUint64(h[3:], 1<<48|r.sequence) // epoch 1
	binary.BigEndian.PutUint16(h[11:], uint16(nonceLen+len(p)+tagLen))
	copy(h[headerLen:], h[3:11])
	copy(r.outNonce[4:], h[3:11])
	copy(r.outAD[:8], h[3:11])
	copy(r.outAD[8:11], h[:3])
	binary.BigEndian.PutUint16(r.outAD[11:], uint16(len(p)))
	return r.out.Seal(append(dst, h[:]...), r.outNonce[:], p, r.outAD[:])
}
