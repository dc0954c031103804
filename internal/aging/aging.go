// Package aging is a map that forgets its oldest entries.
package aging

import "sync"

// Map keeps two generations of entries. When the younger is full, it becomes the older, and the
// older is forgotten: between one and two generations of the newest entries are there. It is safe
// for concurrent use.
type Map[V any] struct {
	generation int // constant

	mu sync.Mutex
	// +checklocks:mu
	young map[string]V
	// +checklocks:mu
	old map[string]V
}

// New returns an empty map whose generations have the given number of entries.
func New[V any](generation int) *Map[V] {
	return &Map[V]{generation: generation, young: make(map[string]V)}
}

// Get returns the entry of key, and whether there is one.
func (m *Map[V]) Get(key string) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.young[key]
	if !ok {
		v, ok = m.old[key]
	}
	return v, ok
}

// Put adds or replaces the entry of key.
func (m *Map[V]) Put(key string, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.young) >= m.generation {
		m.old, m.young = m.young, make(map[string]V)
	}
	m.young[key] = v
}
