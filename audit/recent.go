package audit

import (
	"sync"
	"time"
)

// Recent is a Sink that keeps the newest lines in memory, for a status page. They are the lines
// that JSON writes, without the line feed, bounded like JSONConfig.PerSecond by default;
// the next line counts the suppressed ones. It never waits for a reader.
type Recent struct {
	pseudonym pseudonymizer // constant

	mu sync.Mutex
	// +checklocks:mu
	ring [][]byte // line number n is at n modulo its length
	// +checklocks:mu
	next uint64 // number of the next line
	// +checklocks:mu
	limiter limiter
	// +checklocks:mu
	pending tally // for the next line
}

var _ Sink = (*Recent)(nil)

// NewRecent returns a Recent of n lines, 1 to MaxRecent; an n outside that range counts as the
// nearest one inside. Its pseudonym key exists only in memory: use JSON.Recent for one that shares
// a sink's.
func NewRecent(n int) *Recent { return newRecent(n, newPseudonymizer(randomKey())) }

// Recent returns a Recent of n lines with the pseudonyms of j, so that a line on the page can be
// found in the file. It is a separate sink: combine the two with Tee.
func (j *JSON) Recent(n int) *Recent { return newRecent(n, j.pseudonym) }

func newRecent(n int, p pseudonymizer) *Recent {
	return &Recent{
		pseudonym: p,
		ring:      make([][]byte, min(max(n, 1), MaxRecent)),
		limiter:   newLimiter(defaultPerSecond),
	}
}

// Record keeps e as the newest line, in place of the oldest.
func (r *Recent) Record(e Event) {
	now := time.Now()
	if e.Time.IsZero() {
		e.Time = now
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.limiter.admit(&e, now) {
		r.pending.Suppressed++
		return
	}
	r.ring[r.next%uint64(len(r.ring))] = newLine(e, r.pseudonym, r.pending).encode()
	r.next, r.pending = r.next+1, tally{}
}

// Pseudonym returns the name by which the lines call the player with this subject, empty for an
// empty one.
func (r *Recent) Pseudonym(subject string) string { return r.pseudonym.pseudonym("subject", subject) }

// Since returns the lines from number seq on that are still kept, oldest first, and the number of
// the next line, to ask for next time. Lines are numbered from 0, so a reader has missed next − seq
// − len(lines) of them. A number that has not been reached, for instance one of an earlier process,
// counts as 0. The lines are shared and must not be changed.
func (r *Recent) Since(seq uint64) (lines [][]byte, next uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq > r.next {
		seq = 0
	}
	n := uint64(len(r.ring))
	if r.next > n {
		seq = max(seq, r.next-n)
	}
	for ; seq < r.next; seq++ {
		lines = append(lines, r.ring[seq%n])
	}
	return lines, r.next
}
