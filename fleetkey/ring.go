package fleetkey

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Ring holds the keys of a server: the first one seals, all of them open. The zero Ring, like a nil
// one, is empty and disables resumption. It is safe for concurrent use; sealing and opening take no
// lock. The package comment describes how to rotate keys.
type Ring struct {
	keys atomic.Pointer[[]Key] // constant once stored
	mu   sync.Mutex            // held by Rotate
}

// NewRing returns a ring of keys, as Set takes them.
func NewRing(keys ...Key) (*Ring, error) {
	r := new(Ring)
	if err := r.Set(keys...); err != nil {
		return nil, err
	}
	return r, nil
}

// Set replaces the keys by keys, at most 8 with different ids. The first seals. Without any,
// resumption is disabled. The error matches ErrKey, and then nothing has changed.
func (r *Ring) Set(keys ...Key) error {
	if len(keys) > maxKeys {
		return refuse("there are more than 8")
	}
	for i, k := range keys {
		same := func(o Key) bool { return o.ID() == k.ID() }
		if k.ID() == 0 || slices.ContainsFunc(keys[:i], same) {
			return refuse("one is empty, or two have the same id")
		}
	}
	keys = slices.Clone(keys)
	r.keys.Store(&keys)
	return nil
}

// Rotate makes next the sealing key, whether or not the ring has it already. The former sealing key
// still opens; all others are dropped. The error matches ErrKey, and then nothing has changed.
func (r *Ring) Rotate(next Key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := []Key{next}
	if old, ok := r.First(); ok {
		keys = append(keys, old)
	}
	return r.Set(keys...)
}

// Enabled reports whether there is a key.
func (r *Ring) Enabled() bool { return len(r.all()) > 0 }

// First returns the sealing key, and whether there is one.
func (r *Ring) First() (Key, bool) {
	if all := r.all(); len(all) > 0 {
		return all[0], true
	}
	return Key{}, false
}

// IDs returns the ids of the keys, that of the sealing key first.
func (r *Ring) IDs() (ids []uint32) {
	for _, k := range r.all() {
		ids = append(ids, k.ID())
	}
	return ids
}

// Find returns the key with the given id, and whether there is one.
func (r *Ring) Find(id uint32) (Key, bool) {
	for _, k := range r.all() {
		if k.ID() == id {
			return k, true
		}
	}
	return Key{}, false
}

func (r *Ring) all() []Key {
	if r == nil {
		return nil
	}
	if keys := r.keys.Load(); keys != nil {
		return *keys
	}
	return nil
}
