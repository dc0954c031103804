package revocation

import (
	"slices"
	"sync"
)

// inbox holds live messages until they are applied. It is bounded: what does not fit is read from the
// stored state.
type inbox struct {
	wake chan struct{}

	mu sync.Mutex
	// +checklocks:mu
	messages [][]byte
	// +checklocks:mu
	bytes int
	// +checklocks:mu
	dropped uint64
}

// put takes a copy of m.
func (b *inbox) put(m []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(m) > MaxMessage || b.bytes+len(m) > maxInbox || len(b.messages) >= maxInboxMessages {
		b.dropped++
		return
	}
	b.messages = append(b.messages, slices.Clone(m))
	b.bytes += len(m)
	signal(b.wake)
}

// take empties the inbox.
func (b *inbox) take() [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	messages := b.messages
	b.messages, b.bytes = nil, 0
	return messages
}

// lost returns how many messages did not fit.
func (b *inbox) lost() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}
