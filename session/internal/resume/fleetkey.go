package resume

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

const (
	// maxFleetKeys bounds a ring: the key that seals, the next one, and those
	// whose tickets have not expired yet.
	maxFleetKeys = 8

	// maxKeyFile is the longest key file in bytes: 8 lines, and comments.
	maxKeyFile = 4096

	// maxSeals is how many tickets one key may seal, by all servers of the fleet
	// together: with random nonces of 96 bits, 2^32 of them repeat one with a
	// probability of 2^-33 (NIST SP 800-38D 8.3). A thousand servers that issue
	// 33 tickets a second come to 2^31.4 a day, so a fleet of that size has a new
	// key each day; one server alone would take four years.
	maxSeals = 1 << 32
)

// ErrFleetKey is why fleet keys were refused; the text after the colon says
// what to mend, and quotes nothing of a key.
var ErrFleetKey = errors.New("session: fleet key refused")

func badFleetKey(why string) error { return fmt.Errorf("%w: %s", ErrFleetKey, why) }

// FleetKey is a secret that all servers of a fleet share: it seals resumption
// tickets and snapshots. It is out of reach of fmt, log/slog, encoders and ==;
// Text is the one way to its bytes. The zero FleetKey is none. Copies are the
// same key, and its methods are safe for concurrent use.
type FleetKey struct{ key func() *fleetKey }

type fleetKey struct {
	id     uint32                       // constant
	ticket atomic.Pointer[ticketCipher] // nil once wiped
	seals  atomic.Uint64                // tickets sealed by this process

	mu sync.Mutex
	// +checklocks:mu
	secret [32]byte
	// +checklocks:mu
	wiped bool
}

type ticketCipher struct{ cipher.AEAD }

// NewFleetKey returns the key of 32 random bytes that is named id, a number
// other than 0 that no other key of the fleet has. It keeps a copy of secret.
// Errors match ErrFleetKey.
func NewFleetKey(id uint32, secret []byte) (FleetKey, error) {
	switch {
	case id == 0:
		return FleetKey{}, badFleetKey("its id is 0")
	case len(secret) != 32:
		return FleetKey{}, badFleetKey("it does not have 32 bytes")
	case bytes.Count(secret, secret[:1]) == len(secret):
		return FleetKey{}, badFleetKey("it is not random")
	}
	k := &fleetKey{id: id, secret: [32]byte(secret)}
	aead, err := k.cipher(nil, "sallyport v1 ticket")
	if err != nil {
		return FleetKey{}, err
	}
	k.ticket.Store(&ticketCipher{aead})
	return FleetKey{func() *fleetKey { return k }}, nil
}

// GenerateFleetKey returns a fresh key with a random id.
func GenerateFleetKey() (FleetKey, error) {
	var b [4 + 32]byte
	_, _ = rand.Read(b[:]) // never fails
	defer clear(b[:])
	return NewFleetKey(max(1, binary.BigEndian.Uint32(b[:])), b[4:])
}

// ID is the key's name, which stands in front of what it sealed; 0 for the zero
// FleetKey.
func (k FleetKey) ID() uint32 {
	if k.key == nil {
		return 0
	}
	return k.key().id
}

// Sealed is how many tickets the key has sealed in this process. It is to stay
// far below 2^32 in all processes together.
func (k FleetKey) Sealed() uint64 {
	if k.key == nil {
		return 0
	}
	return k.key().seals.Load()
}

// Text returns the key as a line of a key file: id and key in hexadecimal, with
// a colon between them. Whoever has it can resume as any player: keep the file
// at mode 0600. The error matches ErrFleetKey: there is no key, or it was wiped.
func (k FleetKey) Text() ([]byte, error) {
	if k.key == nil {
		return nil, badFleetKey("it is empty")
	}
	f := k.key()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wiped {
		return nil, badFleetKey("it was wiped")
	}
	line := hex.AppendEncode(nil, binary.BigEndian.AppendUint32(nil, f.id))
	line = hex.AppendEncode(append(line, ':'), f.secret[:])
	return append(line, '\n'), nil
}

// Wipe forgets the key, in all copies: from then on it neither seals nor opens.
// What is expanded inside crypto/aes is out of reach and goes with the garbage.
func (k FleetKey) Wipe() {
	if k.key == nil {
		return
	}
	f := k.key()
	f.ticket.Store(nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secret, f.wiped = [32]byte{}, true
}

// cipher is AES-256-GCM under HKDF-SHA256(key, salt, purpose): what is sealed
// for one purpose never opens for another.
func (f *fleetKey) cipher(salt []byte, purpose string) (cipher.AEAD, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wiped {
		return nil, badFleetKey("it was wiped")
	}
	key, err := hkdf.Key(sha256.New, f.secret[:], salt, purpose, 32)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
