package nakamabridge

import "sync"

// bounded is a map of at most a given number of entries, the newest. Two generations: when the younger is full, the
// older is forgotten. It is safe for concurrent use.
type bounded[V any] struct {
	limit int // constant

	mu sync.Mutex
	// +checklocks:mu
	young map[string]V
	// +checklocks:mu
	old map[string]V
}

func newBounded[V any](limit int) *bounded[V] {
	return &bounded[V]{limit: limit, young: make(map[string]V)}
}

func (m *bounded[V]) get(key string) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.young[key]
	if !ok {
		v, ok = m.old[key]
	}
	return v, ok
}

func (m *bounded[V]) put(key string, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.young) >= m.limit/2 {
		m.old, m.young = m.young, make(map[string]V)
	}
	m.young[key] = v
}
