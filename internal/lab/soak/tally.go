package soak

import (
	"maps"
	"sync"
)

// tally counts by name. It is safe for concurrent use.
type tally struct {
	mu sync.Mutex
	// +checklocks:mu
	counts map[string]int
}

func (t *tally) add(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[name]++
}

// snapshot is a copy, never nil.
func (t *tally) snapshot() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := map[string]int{}
	maps.Copy(c, t.counts)
	return c
}
