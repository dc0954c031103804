package audit

import (
	"fmt"
	"io"
	"time"

	"github.com/sallyport/sallyport/internal/auditchain"
)

// run writes until the queue is closed and empty, then the counts that no line has carried yet.
func (j *JSON) run() {
	stop := func() {}
	var due <-chan time.Time
	if j.chain != nil {
		ticker := time.NewTicker(j.every)
		stop, due = ticker.Stop, ticker.C
		j.begin()
	}
	defer stop()
	for open := true; open; {
		var l *line
		select {
		case l, open = <-j.queue:
			if open {
				j.write(*l)
			}
		case <-due:
			j.mark()
		}
	}
	if rest := j.takePending(); rest != (tally{}) {
		j.write(newTally(time.Now(), rest))
	}
	j.end()
}

// takePending takes the counts that no line has yet.
func (j *JSON) takePending() tally {
	j.mu.Lock()
	defer j.mu.Unlock()
	t := j.pending
	j.pending = tally{}
	return t
}

// write writes l. If a chain cannot begin, there is no use in trying l.
func (j *JSON) write(l line) {
	if j.chain != nil {
		if j.chain.Broken() && !j.begin() {
			j.lose(l)
			return
		}
		l.Metadata.Sequence, l.Unmapped.Chain = j.chain.Next()
	}
	if err := j.put(l.encode(), l.Unmapped.Lost); err != nil {
		j.fail(err)
		j.lose(l)
	}
}

// put writes b, on a line of its own even if the previous line was cut off. A line that lacks only its
// line feed is written: the next one brings that. lost is what b states.
func (j *JSON) put(b []byte, lost uint64) error {
	whole := append(b, '\n')
	if j.torn {
		whole = append([]byte{'\n'}, whole...)
	}
	n, err := j.w.Write(whole)
	if err == nil && n < len(whole) {
		err = io.ErrShortWrite
	}
	if err != nil && n >= len(whole)-1 {
		j.fail(err) // of something else than this line, which is written
		err = nil
	}
	if err != nil {
		j.torn = j.torn || n > 0
		if j.chain != nil {
			j.chain.Break()
		}
		return err
	}
	j.torn = n < len(whole)
	if j.chain != nil {
		j.chain.Wrote(b, lost)
	}
	return nil
}

// fail keeps the first failure.
func (j *JSON) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failure == nil {
		j.failure = fmt.Errorf("audit: %w", err)
	}
}

// lose counts l as lost if it has an event, and has the next line carry that and the counts of l.
func (j *JSON) lose(l line) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pending.add(l.Unmapped.tally)
	if l.Decision != "" {
		j.lost++
		j.pending.Lost++
	}
}

// begin writes the first line of a chain, and reports whether that has worked.
func (j *JSON) begin() bool { return j.head(auditchain.Begin, tally{}) }

// mark signs the chain as it is. What was lost it states only if no line waits that was recorded
// before that.
func (j *JSON) mark() {
	var rest tally
	if len(j.queue) == 0 {
		rest = j.takePending()
	}
	kind := auditchain.Mark
	if j.chain.Broken() {
		kind = auditchain.Begin
	}
	j.head(kind, rest)
}

// end writes the last line of the chain, if there is one.
func (j *JSON) end() {
	if j.chain != nil && !j.chain.Broken() {
		j.head(auditchain.End, tally{})
	}
}

// head writes a head with the counts t, and reports whether that has worked.
func (j *JSON) head(kind string, t tally) bool {
	l := newBase(time.Now(), "chain "+kind, t)
	l.Metadata.Sequence, l.Unmapped.Chain = j.chain.NextHead(kind, t.Lost, j.torn)
	b, err := j.sign(l)
	if err != nil {
		j.fail(err)
	}
	if err = j.put(b, t.Lost); err != nil {
		j.fail(err)
		j.lose(l)
	}
	return err == nil
}

// sign encodes a head. One that cannot be signed is written without a signature: the lines matter
// more, and a verifier says so.
func (j *JSON) sign(l line) ([]byte, error) {
	b := l.encode()
	signed, err := j.chain.Sign(b)
	if err != nil {
		return b, err
	}
	return signed, nil
}
