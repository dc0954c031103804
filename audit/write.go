package audit

import (
	"fmt"
	"io"
	"time"
)

// run writes until the queue is closed and empty, then the counts that no line has carried yet.
func (j *JSON) run() {
	for l := range j.queue {
		j.write(*l)
	}
	j.mu.Lock()
	rest := j.pending
	j.mu.Unlock()
	if rest != (tally{}) {
		j.write(newTally(time.Now(), rest))
	}
}

// write writes l, on a line of its own even if the previous line was cut off.
func (j *JSON) write(l line) {
	b := l.encode()
	if j.torn {
		b = append([]byte{'\n'}, b...)
	}
	n, err := j.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		j.torn = j.torn || n > 0
		j.fail(l, err)
		return
	}
	j.torn = false
}

// fail counts l as lost, and has the next line carry that and the counts of l.
func (j *JSON) fail(l line, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failure == nil {
		j.failure = fmt.Errorf("audit: %w", err)
	}
	if l.Decision == "" {
		return // a tally, with which the sink ends
	}
	j.lost++
	j.pending.add(l.Unmapped.tally)
	j.pending.Lost++
}
