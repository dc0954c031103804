package machine

import (
	"crypto/aes"
	"crypto/cipher"

	"github.com/sallyport/sallyport/internal/wire"
)

// cmac is AES-128-CMAC (RFC 4493) over exactly one block, cut to eight bytes: one AES call, because
// a complete last block needs only the first subkey.
//
// One goroutine at a time: the block is a field, so that the call through the cipher's interface
// does not allocate.
type cmac struct {
	cipher cipher.Block // nil while the expanded key is dropped, and once wiped
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

// expand makes the cipher, which takes 512 bytes.
func (m *cmac) expand() {
	c, err := aes.NewCipher(m.key[:])
	if err != nil {
		panic("machine: " + err.Error()) // the key always has 16 bytes
	}
	m.cipher = c
}

// dropExpanded drops the expanded key; the next tag expands it again.
func (m *cmac) dropExpanded() { m.cipher = nil }

// tag returns the tag of m.block, and overwrites the block.
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

// wipe erases the key; the cipher's own copy is left to the garbage collector. No tag may be
// computed afterwards.
func (m *cmac) wipe() { *m = cmac{} }

// double multiplies b by x in GF(2^128), without a branch on the key.
func double(b *[16]byte) {
	carry := byte(0)
	for i := 15; i >= 0; i-- {
		next := b[i] >> 7
		b[i] = b[i]<<1 | carry
		carry = next
	}
	b[15] ^= 0x87 & -carry
}
