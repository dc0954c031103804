package transport

import (
	"fmt"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/bucket"
)

// feedLines bounds the audit's lines about bans and revocations that a feed brings and that end nobody
// here, so that a hundred thousand of them at the start of a server, or a million in a burst, do not
// take the room of the lines about players who are put out. What is left out is one line a second.
type feedLines struct {
	mu sync.Mutex
	// +checklocks:mu
	lines bucket.Bucket
	// +checklocks:mu
	leftOut int
}

// feedPerSecond and feedBurst are how many such lines there are.
const (
	feedPerSecond = 10
	feedBurst     = 1024
)

func newFeedLines() *feedLines {
	return &feedLines{lines: bucket.New(bucket.PerSecond(feedPerSecond, feedBurst), 0)}
}

// leavesOut reports whether there is no line for a decision that a feed has brought, if it has, and
// that has ended so many sessions.
func (f *feedLines) leavesOut(now time.Time, ofFeed bool, ended int) bool {
	if !ofFeed || ended > 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lines.Take(now.UnixNano()) {
		return false
	}
	f.leftOut++
	return true
}

// summarize records how many have been left out. It is called about once a second.
func (f *feedLines) summarize(s *Server) {
	if n := f.takeLeftOut(); n > 0 {
		s.audit.now(audit.Event{Decision: audit.Withdraw, Detail: fmt.Sprintf("a feed: %d bans and revocations without a line of their own, ended 0", n)})
	}
}

// takeLeftOut returns how many have been left out since the last call.
func (f *feedLines) takeLeftOut() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.leftOut
	f.leftOut = 0
	return n
}
