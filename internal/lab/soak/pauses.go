package soak

import (
	"sync"
	"time"
)

// pauses are how long players had to wait for the end of a turn. It is safe for concurrent use.
type pauses struct {
	histogram

	mu sync.Mutex
	// +checklocks:mu
	all []pause
}

type pause struct{ began, ended time.Time }

func (p *pauses) add(began, ended time.Time) {
	p.histogram.add(ended.Sub(began))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, pause{began, ended})
}

// longestBut is the longest pause without what this process was late in it.
func (p *pauses) longestBut(late func(from, to time.Time) time.Duration) (longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.all {
		longest = max(longest, a.ended.Sub(a.began)-late(a.began, a.ended))
	}
	return longest
}
