package revocation

import "sync"

// queue holds what Enqueue has taken. Its lock is held for an append only.
type queue struct {
	mu sync.Mutex
	// +checklocks:mu
	records []Record
	// +checklocks:mu
	refused uint64
	// +checklocks:mu
	closed bool
}

// put takes records, or none of them.
func (q *queue) put(records []Record) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.records)+len(records) > maxQueue {
		q.refused += uint64(len(records))
		return false
	}
	q.records = append(q.records, records...)
	return true
}

// take empties the queue.
func (q *queue) take() []Record {
	q.mu.Lock()
	defer q.mu.Unlock()
	records := q.records
	q.records = nil
	return records
}

// putBack returns what could not be published to the front.
func (q *queue) putBack(records []Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.refused += uint64(len(records))
		return
	}
	q.records = append(records[:len(records):len(records)], q.records...)
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

func (q *queue) counts() (queued int, refused uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.records), q.refused
}

// Enqueue queues records, which Run publishes in batches within some 20 ms, and never blocks. It
// takes all or none, and reports false if a record is not well formed, the queue of 65,536 is full,
// or the publisher is closed. It is meant for callbacks such as session.Config.OnUsed.
func (p *Publisher) Enqueue(records ...Record) bool {
	for i := range records {
		if records[i].check() != nil {
			return false
		}
	}
	if !p.queue.put(records) {
		return false
	}
	signal(p.wake)
	return true
}

// flush publishes what is queued. What a store refuses waits for the next flush.
func (p *Publisher) flush() error {
	records := p.queue.take()
	done, err := p.Append(records...)
	if err != nil {
		p.queue.putBack(records[len(done):])
	}
	return err
}
