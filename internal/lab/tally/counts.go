package tally

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Counts are numbers by name.
type Counts map[string]uint64

// Since returns what c counts and before does not.
func (c Counts) Since(before Counts) Counts {
	d := Counts{}
	for name, n := range c {
		if n > before[name] {
			d[name] = n - before[name]
		}
	}
	return d
}

// Add adds other to c.
func (c Counts) Add(other Counts) {
	for name, n := range other {
		c[name] += n
	}
}

// Text lists the numbers with their names, or returns none if there are none.
func (c Counts) Text(none string) string {
	if len(c) == 0 {
		return none
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, fmt.Sprintf("%d %s", c[name], name))
	}
	return strings.Join(parts, ", ")
}

// Counter counts by name. It is safe for concurrent use; the zero Counter is ready.
type Counter struct {
	mu sync.Mutex
	// +checklocks:mu
	counts Counts
}

// Count counts one more.
func (c *Counter) Count(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = Counts{}
	}
	c.counts[name]++
}

// Counts returns a copy, never nil.
func (c *Counter) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := Counts{}
	counts.Add(c.counts)
	return counts
}
