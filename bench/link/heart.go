package link

import (
	"sync/atomic"
	"time"
)

const (
	// Punctual is how late a timer may ring without anybody's noticing.
	Punctual = 2 * time.Millisecond

	// beat is how often the relay looks at how punctual it is.
	beat = 5 * time.Millisecond
)

// heart tells whether the machine lets this process run when it wants to.
type heart struct {
	stop  chan struct{}
	beats atomic.Uint64
	late  atomic.Uint64
}

func newHeart() *heart { return &heart{stop: make(chan struct{})} }

func (h *heart) run() {
	for {
		began := time.Now()
		select {
		case <-h.stop:
			return
		case <-time.After(beat):
		}
		h.beats.Add(1)
		if time.Since(began) > beat+Punctual {
			h.late.Add(1)
		}
	}
}

// behind is the share of beats that were late.
func (h *heart) behind() float64 { return float64(h.late.Load()) / float64(max(h.beats.Load(), 1)) }
