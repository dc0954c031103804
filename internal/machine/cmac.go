package machine

import (
	"crypto/aes"
	"crypto/cipher"

	"github.com/sallyport/sallyport/internal/wire"
)

// cmac is AES-128-CMAC (RFC 4493) over exactly one block, cut to eight bytes:
// one AES call, since a complete last block needs only the first subkey.
//
// One goroutine at a time: the block it works in is a field, so that the call
// through the cipher's interface does not allocate.
type cmac struct {
	cipher cipher.Block // nil while it rests, and once wiped
	subkey [16]byte     // K1
	block  [16]byte
	key    [16]byte
}

func (m *cmac) init(key []byte) {
	copy(m.key[:], key)
	m.expand()
	m.subkey = [16]byte{}
	m.cipher.Encrypt(m.subkey[:], m.subkey[:])
	double(&m.subkey)
}

// expand makes the cipher, of 512 bytes.
func (m *cmac) expand() {
	c, err := aes.NewCipher(m.key[:])
	if err != nil {
		panic("session: " + err.Error()) // there is no other length
	}
	m.cipher = c
}

// rest lets go of the cipher, until the next tag.
func (m *cmac) rest() { m.cipher = nil }

// tag authenticates what m.block holds, and overwrites it.
func (m *cmac) tag() (t wire.Tag) {
	if m.cipher == nil {
		m.expand()
	}
	for i := range m.block {
		m.block[i] ^= m.subkey[i]
	}
	m.cipher.Encrypt(m.block[:], m.block[:])
	copy(t[:], m.block[:])
	return t
}

// wipe erases what can be reached; the cipher's own schedule is left to the
// garbage collector. Nothing may be tagged afterwards.
func (m *cmac) wipe() { *m = cmac{} }

// double multiplies by x in GF(2^128), without a branch on the key.
func double(b *[16]byte) {
	carry := byte(0)
	for i := 15; i >= 0; i-- {
		next := b[i] >> 7
		b[i] = b[i]<<1 | carry
		carry = next
	}
	b[15] ^= 0x87 & -carry
}
