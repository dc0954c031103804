package fleetkey

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// ErrKey is returned for keys that are refused. The text after the colon names the reason, and
// quotes no part of a key.
var ErrKey = errors.New("fleetkey: key refused")

func refuse(why string) error { return fmt.Errorf("%w: %s", ErrKey, why) }

// Key is a secret that all servers of a fleet share: it seals resumption tickets and snapshots.
// fmt, log/slog, encoders and == cannot reach it; Text is the only way to its bytes. The zero Key
// holds no secret. Copies are the same key, and its methods are safe for concurrent use.
type Key struct{ key func() *key }

type key struct {
	id     uint32                       // constant
	ticket atomic.Pointer[ticketCipher] // nil once wiped
	seals  atomic.Uint64                // tickets sealed by this process

	mu sync.Mutex
	// +checklocks:mu
	secret [32]byte
	// +checklocks:mu
	wiped bool
}

// New returns a key with the given id and 32 random bytes. The id is not 0, and no other key of the
// fleet has it. New keeps a copy of secret. Errors match ErrKey.
func New(id uint32, secret []byte) (Key, error) {
	switch {
	case id == 0:
		return Key{}, refuse("its id is 0")
	case len(secret) != 32:
		return Key{}, refuse("it does not have 32 bytes")
	case bytes.Count(secret, secret[:1]) == len(secret):
		return Key{}, refuse("it is not random")
	}
	f := &key{id: id, secret: [32]byte(secret)}
	k := Key{func() *key { return f }}
	aead, err := k.Cipher(nil, "sallyport v1 ticket")
	if err != nil {
		return Key{}, err
	}
	f.ticket.Store(&ticketCipher{aead})
	return k, nil
}

// Generate returns a fresh key with a random id.
func Generate() (Key, error) {
	var b [4 + 32]byte
	_, _ = rand.Read(b[:]) // never fails
	defer clear(b[:])
	return New(max(1, binary.BigEndian.Uint32(b[:])), b[4:])
}

// ID returns the key's id, which precedes everything it seals; 0 for the zero Key.
func (k Key) ID() uint32 {
	if k.key == nil {
		return 0
	}
	return k.key().id
}

// Wipe erases the key, in all copies: from then on it neither seals nor opens. The expanded key
// inside crypto/aes cannot be erased and is left to the garbage collector.
func (k Key) Wipe() {
	if k.key == nil {
		return
	}
	f := k.key()
	f.ticket.Store(nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secret, f.wiped = [32]byte{}, true
}

// Cipher returns AES-256-GCM under HKDF-SHA256(key, salt, purpose), so that data sealed for one
// purpose, or with one salt, never opens for another. It remains usable after Wipe. The error
// matches ErrKey: the key is zero or was wiped.
func (k Key) Cipher(salt []byte, purpose string) (cipher.AEAD, error) {
	secret, err := k.reveal()
	defer clear(secret[:])
	if err != nil {
		return nil, err
	}
	derived, err := hkdf.Key(sha256.New, secret[:], salt, purpose, 32)
	if err != nil {
		return nil, err
	}
	defer clear(derived)
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// reveal returns a copy of the secret, which the caller clears.
func (k Key) reveal() (secret [32]byte, err error) {
	if k.key == nil {
		return secret, refuse("it is empty")
	}
	f := k.key()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wiped {
		return secret, refuse("it was wiped")
	}
	return f.secret, nil
}
