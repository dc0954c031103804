package record

import (
	"crypto/aes"
	"crypto/cipher"
)

// half is one direction of a connection: its key, its part of the nonce, and room for the cipher's
// input, so that a record costs no allocation.
type half struct {
	aead   cipher.AEAD // nil while it rests, and once wiped
	nonce  [4 + nonceLen]byte
	ad     [HeaderLen]byte
	keyLen uint8 // of key, 0 once wiped
	key    [32]byte
}

// set gives the direction its AES key and write IV.
func (d *half) set(key, iv []byte) {
	d.keyLen = uint8(copy(d.key[:], key))
	copy(d.nonce[:4], iv)
}

// ready reports whether there is a key, and expands it if it is not expanded.
func (d *half) ready() bool { return d.aead != nil || d.expand() }

func (d *half) expand() bool {
	if d.keyLen == 0 {
		return false
	}
	block, err := aes.NewCipher(d.key[:d.keyLen])
	if err != nil {
		panic("record: " + err.Error()) // key lengths come from Suite.params
	}
	if d.aead, err = cipher.NewGCM(block); err != nil {
		panic("record: " + err.Error())
	}
	return true
}

// dropExpanded drops the expanded key.
func (d *half) dropExpanded() { d.aead = nil }

// prepare sets the nonce and the additional data for one record: "additional_data = seq_num +
// TLSCompressed.type + TLSCompressed.version + TLSCompressed.length" (RFC 5246 6.2.3.3), where
// seq_num is epoch and record number (RFC 6347 4.1.2.1) and the length is that of the plaintext.
func (d *half) prepare(explicit []byte, h Header, plaintext int) {
	copy(d.nonce[4:], explicit)
	var b [HeaderLen]byte
	h.Length = plaintext
	h.put(b[:])
	copy(d.ad[:8], b[3:11])
	copy(d.ad[8:11], b[:3])
	copy(d.ad[11:], b[11:])
}

// keys are the four parts of the key block that an AEAD suite has.
type keys struct {
	clientKey, serverKey, clientIV, serverIV []byte
}

// expand derives the key block (RFC 5246 6.3); the MAC keys of an AEAD suite are empty.
// Check has found the suite known.
func (s *Secrets) expand() keys {
	n, h, _ := s.Suite.params()
	block := make([]byte, 2*n+2*4)
	prf(h, block, s.Master[:], "key expansion", s.ServerRandom[:], s.ClientRandom[:])
	return keys{
		clientKey: block[:n],
		serverKey: block[n : 2*n],
		clientIV:  block[2*n : 2*n+4],
		serverIV:  block[2*n+4:],
	}
}

// wipe overwrites the key block; the ciphers keep their own expanded copy.
func (k keys) wipe() {
	clear(k.clientKey)
	clear(k.serverKey)
	clear(k.clientIV)
	clear(k.serverIV)
}
