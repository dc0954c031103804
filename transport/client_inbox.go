package transport

import (
	"io"
	"sync"
)

// inbox is a ring of payloads that wait for Receive.
type inbox struct {
	arrived chan struct{} // capacity 1: the inbox is not empty
	letters chan struct{} // capacity 1: something has come on lanes

	mu sync.Mutex
	// +checklocks:mu
	ring [][]byte
	// +checklocks:mu
	first int
	// +checklocks:mu
	count int
}

// push copies b to the end and returns how many older payloads it replaced.
func (in *inbox) push(b []byte) (lost uint64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ring == nil {
		in.ring = make([][]byte, receiveQueue)
	}
	if in.count == len(in.ring) {
		in.first, in.count, lost = (in.first+1)%len(in.ring), in.count-1, 1
	}
	slot := &in.ring[(in.first+in.count)%len(in.ring)]
	*slot = append((*slot)[:0], b...)
	in.count++
	return lost
}

// pop copies the oldest payload to b; ok is false when there is none. When more remain, it wakes
// another Receive.
func (in *inbox) pop(b []byte) (n int, ok bool, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.count == 0 {
		return 0, false, nil
	}
	payload := in.ring[in.first]
	in.first, in.count = (in.first+1)%len(in.ring), in.count-1
	if in.count > 0 {
		in.announce()
	}
	if len(payload) > len(b) {
		return 0, true, io.ErrShortBuffer
	}
	return copy(b, payload), true, nil
}

// swap returns the oldest payload and keeps the spare buffer for another; ok is false when there is
// none, and spare is not kept then.
func (in *inbox) swap(spare []byte) (payload []byte, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.count == 0 {
		return nil, false
	}
	payload, in.ring[in.first] = in.ring[in.first], spare
	in.first, in.count = (in.first+1)%len(in.ring), in.count-1
	return payload, true
}

// announce wakes one Receive.
func (in *inbox) announce() {
	select {
	case in.arrived <- struct{}{}:
	default:
	}
}
