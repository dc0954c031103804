package resume

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"sync"
	"sync/atomic"
)

// FleetKeys is a ring of fleet keys: the first one seals, all of them open. The
// zero FleetKeys, like a nil one, has none: nothing is resumed. It is safe for
// concurrent use; who seals or opens takes no lock.
//
// To change keys without a player noticing, first have every server open with
// the next key (Set, with the old one in front), then have every server seal
// with it (Rotate), and keep the old one until its tickets have expired: as
// long as identity tokens live. Rotate forgets what is older.
type FleetKeys struct {
	ring atomic.Pointer[[]FleetKey] // constant once stored
	mu   sync.Mutex                 // held by Rotate
}

// NewFleetKeys returns a ring after Set.
func NewFleetKeys(keys ...FleetKey) (*FleetKeys, error) {
	r := new(FleetKeys)
	if err := r.Set(keys...); err != nil {
		return nil, err
	}
	return r, nil
}

// Set puts keys, at most 8 with different ids, in place of those there were.
// The first seals. Without any, nothing is resumed. The error matches
// ErrFleetKey, and then nothing has changed.
func (r *FleetKeys) Set(keys ...FleetKey) error {
	if len(keys) > maxFleetKeys {
		return badFleetKey("there are more than 8")
	}
	for i, k := range keys {
		same := func(o FleetKey) bool { return o.ID() == k.ID() }
		if k.ID() == 0 || slices.ContainsFunc(keys[:i], same) {
			return badFleetKey("one is empty, or two have the same id")
		}
	}
	keys = slices.Clone(keys)
	r.ring.Store(&keys)
	return nil
}

// Rotate makes next seal, whether the ring knew it or not. The key that sealed
// until now still opens; all others are forgotten. The error matches
// ErrFleetKey, and then nothing has changed.
func (r *FleetKeys) Rotate(next FleetKey) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Set(append([]FleetKey{next}, r.first()...)...)
}

// Enabled says whether there is a key.
func (r *FleetKeys) Enabled() bool { return len(r.first()) > 0 }

// first is the key that seals, or nothing.
func (r *FleetKeys) first() []FleetKey {
	all := r.all()
	return all[:min(1, len(all))]
}

func (r *FleetKeys) all() []FleetKey {
	if r == nil {
		return nil
	}
	if ring := r.ring.Load(); ring != nil {
		return *ring
	}
	return nil
}

// find returns the key that is named id, nil if there is none.
func (r *FleetKeys) find(id uint32) *fleetKey {
	for _, k := range r.all() {
		if k.ID() == id {
			return k.key()
		}
	}
	return nil
}

// ParseFleetKeys reads a key file, for NewFleetKeys or Set: one key a line as
// Text writes it, the one that seals first. Blank lines and lines that begin
// with # are skipped. Nobody but the server may read the file. Errors match
// ErrFleetKey.
func ParseFleetKeys(data []byte) (keys []FleetKey, err error) {
	if len(data) > maxKeyFile {
		return nil, badFleetKey("the file is longer than 4096 bytes")
	}
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		k, err := parseFleetKey(line)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func parseFleetKey(line []byte) (FleetKey, error) {
	var b [4 + 32]byte
	defer clear(b[:])
	if len(line) != 8+1+64 || line[8] != ':' {
		return FleetKey{}, badFleetKey("a line is not 8 hexadecimal digits, a colon and 64 more")
	}
	_, errID := hex.Decode(b[:4], line[:8])
	_, errKey := hex.Decode(b[4:], line[9:])
	if errID != nil || errKey != nil {
		return FleetKey{}, badFleetKey("a line is not 8 hexadecimal digits, a colon and 64 more")
	}
	return NewFleetKey(binary.BigEndian.Uint32(b[:]), b[4:])
}
