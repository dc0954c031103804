package soak

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
)

// turn is a change in the middle of a stay: of the player's socket, of its path or of the server's process. It is over
// with the first snapshot from behind it, and then there may be another one.
//
//	socket    begins with the change      over when an input from the new socket is acknowledged
//	path      begins with its return      over with the first snapshot
//	process   begins with the last        over with the first snapshot of the new process
//	          snapshot of the old process
type turn struct {
	mu sync.Mutex
	// +checklocks:mu
	began time.Time // zero before
	// +checklocks:mu
	from uint32 // an input: the snapshot that acknowledges it, or a later one, ends the turn; zero means any snapshot
	// +checklocks:mu
	behind uint32 // the first input that is sent when the turn is over
	// +checklocks:mu
	over bool
	// +checklocks:mu
	allowed uint64 // inputs that may be lost with it
	// +checklocks:mu
	settled bool // gone is known
	// +checklocks:mu
	gone uint64 // inputs that are lost, and for which nobody need wait
}

func (t *turn) begin(now time.Time, from, behind uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began, t.from, t.behind, t.over, t.settled = now, from, behind, false, false
}

// allow lets so many more inputs be lost without anybody's fault.
func (t *turn) allow(inputs uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.allowed += inputs
}

// see is told of each snapshot and reports whether it is the one that ends the turn, and how long that took.
func (t *turn) see(now time.Time, snapshot *arena.Snapshot) (ended bool, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || t.began.IsZero() || snapshot.Newest < t.from {
		return false, 0
	}
	t.over = true
	return true, now.Sub(t.began)
}

// pending reports whether it has begun and is not over.
func (t *turn) pending() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.began.IsZero() && !t.over
}

// delayed reports whether an input was sent before the turn, which then is part of its round trip.
func (t *turn) delayed(sent time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return sent.Before(t.began)
}

// settle is told of an acknowledgement: of all inputs up to newest, so many have not come. What is missing once one from
// behind the turn has come does not come any more.
func (t *turn) settle(newest uint32, missing uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over && !t.settled && newest >= t.behind {
		t.settled, t.gone = true, missing
	}
}

// lost is how many inputs are known to be lost, allowance how many may be.
func (t *turn) lost() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gone
}

func (t *turn) allowance() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.allowed
}

// ledger holds, for each of the last inputs, how many inputs before it the impairment had taken. The
// sender writes, the receiver reads.
type ledger [ledgerLen]atomic.Uint64

// note is called before an input is sent.
func (l *ledger) note(number uint32, taken uint64) { l[number%ledgerLen].Store(taken) }

// taken is how many inputs up to number were taken, if number itself was not.
func (l *ledger) taken(number uint32) uint64 { return l[number%ledgerLen].Load() }
