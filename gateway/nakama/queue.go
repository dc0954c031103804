package nakama

import "sync"

// input is what a player says to the match.
type input struct {
	op   int64
	data []byte
}

// queue holds the inputs that wait for a player's WebSocket. The shard puts them in and never waits;
// one goroutine takes them out. Memory is used again: in the long run nothing allocates.
type queue struct {
	wake chan struct{} // of capacity 1: something has been put in

	mu sync.Mutex
	// +checklocks:mu
	reliable, unreliable ring
	// +checklocks:mu
	bytes int // of the reliable ones, 64 a message included
	// +checklocks:mu
	dropped uint64 // unreliable ones that made room
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// put queues a copy of data. It returns false if it is reliable and there is no room.
func (q *queue) put(op int64, data []byte, reliable bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if reliable {
		if q.bytes+len(data)+64 > reliableInputs {
			return false
		}
		q.bytes += len(data) + 64
		q.reliable.push(op, data)
	} else {
		if q.unreliable.n == unreliableInputs {
			q.unreliable.drop()
			q.dropped++
		}
		q.unreliable.push(op, data)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// take moves the next input into in, whose memory the queue uses again. Reliable ones come first,
// since no order is promised between the two kinds.
func (q *queue) take(in *input) (reliable, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.reliable.n > 0 {
		q.reliable.pop(in)
		q.bytes -= len(in.data) + 64
		return true, true
	}
	if q.unreliable.n > 0 {
		q.unreliable.pop(in)
		return false, true
	}
	return false, false
}

// stale drops the unreliable inputs: they are of before an outage.
func (q *queue) stale() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.unreliable.n > 0 {
		q.unreliable.drop()
		q.dropped++
	}
}

// lost returns how many inputs made room since it was last called.
func (q *queue) lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.dropped
	q.dropped = 0
	return n
}

// ring is a queue of inputs that grows by doubling.
type ring struct {
	slots    []input
	first, n int
}

func (r *ring) push(op int64, data []byte) {
	if r.n == len(r.slots) {
		grown := make([]input, max(8, 2*r.n))
		for i := range r.n {
			grown[i] = r.slots[(r.first+i)%len(r.slots)]
		}
		r.slots, r.first = grown, 0
	}
	s := &r.slots[(r.first+r.n)%len(r.slots)]
	s.op, s.data = op, append(s.data[:0], data...)
	r.n++
}

// pop swaps the oldest input with in.
func (r *ring) pop(in *input) {
	s := &r.slots[r.first]
	if cap(in.data) > spare {
		in.data = nil
	}
	*s, *in = input{data: in.data[:0]}, *s
	r.first, r.n = (r.first+1)%len(r.slots), r.n-1
}

func (r *ring) drop() {
	var in input
	r.pop(&in)
	r.slots[(r.first+len(r.slots)-1)%len(r.slots)].data = in.data[:0] // the memory stays
}
