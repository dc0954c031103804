package revocation

import (
	"time"

	"github.com/sallyport/sallyport/token"
)

// follower is what a subscriber knows of one publisher.
type follower struct {
	trusted Trusted
	id      PublisherID

	head   head // the newest; epoch 0 before the first
	have   spans
	anchor anchor
	skew   time.Duration // how far the publisher's clock is ahead at least, as of the newest head

	since   time.Time       // when it was first trusted, or is needed since
	waiting map[player]bool // whose bans are not in force yet: see core.awaitsLifts

	whole      time.Time // everything that was signed until then is in force
	wholeKnown bool

	loaded    bool // the stored state has been read once
	loading   bool
	loadWhole uint64 // what was in force when it began
	loadAll   bool   // the last load did not bring what it was to begin with: others may be in the way
	loadNext  time.Time
	retry     backoff
	gap       time.Time // since when something is missing; zero if nothing is

	fullAt  time.Time // when the sink was full; zero if it is not
	refills backoff
	refuted bool // the sink has been full since the last refill
	alarmed bool // that it is stale has been said

	sessionsSince time.Time // since when sessions has those that an Optional publisher has revoked
	sessions      map[[16]byte]bool

	orphans map[orphan]bool // segments in force that are not of the publisher's history
}

// anchor joins the publisher's clock that never steps with ours: what it signed at elapsed it signed
// at or after sent, since it had our challenge then.
type anchor struct {
	ok      bool
	sent    time.Time
	elapsed int64
}

// newer reports whether h is newer than the head that is known.
func (f *follower) newer(h *head) bool {
	return h.epoch > f.head.epoch || h.epoch == f.head.epoch && h.beat > f.head.beat
}

// signed returns the earliest time at which a head with this elapsed time can have been signed.
func (f *follower) signed(elapsed int64, now time.Time) time.Time {
	at := f.anchor.sent.Add(time.Duration(elapsed-f.anchor.elapsed) * time.Microsecond)
	if at.After(now) {
		return now
	}
	return at
}

// anchored takes the answer to a challenge.
func (f *follower) anchored(h *head, sent, now time.Time) {
	if f.anchor.ok && now.Sub(f.anchor.sent) < 2*askAgain && f.signed(h.elapsed, now).After(sent) {
		return // the older answer came quicker
	}
	f.anchor = anchor{true, sent, h.elapsed}
}

// compare compares the publisher's clock with ours, which either may have been set since the last head:
// at least by how much it is ahead, since the head was signed between its earliest time and now.
func (f *follower) compare(h *head, now time.Time) {
	theirs, latest := time.UnixMicro(h.time), now.Round(0)
	earliest := latest.Add(-now.Sub(f.signed(h.elapsed, now)))
	switch {
	case theirs.After(latest):
		f.skew = theirs.Sub(latest)
	case theirs.Before(earliest):
		f.skew = theirs.Sub(earliest)
	default:
		f.skew = 0
	}
}

// shift returns by how much the publisher's times have to be moved to be ours, at most. What is known
// of its clock from its last epoch holds until the next comparison.
func (f *follower) shift() time.Duration {
	if f.skew > -minShift && f.skew < minShift {
		return 0
	}
	return max(-maxShift, min(-f.skew, maxShift))
}

// isOwn reports whether it follows the publisher of this process.
func (f *follower) isOwn(own *Publisher) bool { return own != nil && own.id == f.id }

// knows reports whether a segment brings nothing new.
func (f *follower) knows(s *segment) bool {
	for _, x := range f.have {
		if x.first <= s.first && s.end <= x.end && x.epoch >= s.epoch {
			return true
		}
	}
	return f.orphans[orphanOf(s)]
}

// add notes that a segment's records are in force. It reports false if the publisher has signed two
// histories.
func (f *follower) add(s *segment) (ok bool) {
	n := span{s.first, s.end, s.before, s.after, s.epoch}
	if h := &f.head; h.epoch > s.epoch {
		if s.end > h.intact(s.epoch) { // the publisher has lost it since
			if len(f.orphans) >= maxOrphans || f.orphans == nil {
				f.orphans = make(map[orphan]bool)
			}
			f.orphans[orphanOf(s)] = true
			return true
		}
		n.epoch = h.epoch
	}
	f.have, ok = f.have.add(n)
	return ok
}

// orphan identifies a segment that its publisher has lost.
type orphan struct {
	epoch, first, end uint64
	after             chain
}

func orphanOf(s *segment) orphan { return orphan{s.epoch, s.first, s.end, s.after} }

// outcome is that of comparing what is in force with the head.
type outcome uint8

const (
	isMissing outcome = iota
	isWhole
	isForked
)

// settle compares what is in force with the head.
func (f *follower) settle(now time.Time) outcome {
	h := &f.head
	if h.epoch == 0 {
		f.miss(now, len(f.have) > 1)
		return isMissing
	}
	if len(f.have) > 0 && f.have[0].epoch > h.epoch {
		f.miss(now, false) // its head is to come
		return isMissing
	}
	end := f.have.whole()
	if end <= h.last {
		f.miss(now, true)
		return isMissing
	}
	if end == h.last+1 && h.last > 0 && f.have[0].after != (chain{}) && f.have[0].after != h.after {
		return isForked
	}
	f.miss(now, len(f.have) > 1)
	if f.loaded && len(f.have) <= 1 {
		f.retry = backoff{}
	}
	if f.anchor.ok && len(f.waiting) == 0 {
		if at := f.signed(h.elapsed, now); !f.wholeKnown || at.After(f.whole) {
			f.whole, f.wholeKnown = at, true
		}
		if !f.refuted && len(f.have) <= 1 {
			f.fullAt = time.Time{}
		}
	}
	return isWhole
}

// miss notes whether something is missing.
func (f *follower) miss(now time.Time, missing bool) {
	if !missing {
		f.gap = time.Time{}
	} else if f.gap.IsZero() {
		f.gap = now
	}
}

// full notes that the sink has not taken everything. It is tried again later.
func (f *follower) full(now time.Time) {
	if f.fullAt.IsZero() || !f.refuted {
		f.fullAt = now
	}
	f.refuted = true
}

// wait notes that bans of a player are to be put in force later.
func (f *follower) wait(who player) {
	if f.waiting == nil {
		f.waiting = make(map[player]bool)
	}
	f.waiting[who] = true
}

// refill begins again with everything if it is time to try whether the sink has room.
func (f *follower) refill(now time.Time) {
	if f.fullAt.IsZero() || !f.refuted || now.Sub(f.fullAt) < refill<<min(f.refills.failed, 4) {
		return
	}
	f.refills.failed++
	f.fullAt, f.refuted, f.have, f.gap = now, false, nil, now
}

// revokesTooMuch reports whether a session is beyond the share of an Optional publisher. One that it has
// revoked already counts once, however often it is read.
func (f *follower) revokesTooMuch(id [16]byte, now time.Time, most int) bool {
	if f.sessions == nil || now.Sub(f.sessionsSince) > token.LongestLife {
		f.sessionsSince, f.sessions = now, make(map[[16]byte]bool)
	}
	if !f.sessions[id] && len(f.sessions) >= most {
		return true
	}
	f.sessions[id] = true
	return false
}

// load reports whether the stored state should be read now, and from which number on.
func (f *follower) load(now time.Time) (from uint64, due bool) {
	lacks := !f.loaded || !f.gap.IsZero() && now.Sub(f.gap) >= grace
	if f.loading || !lacks || now.Before(f.loadNext) {
		return 0, false
	}
	if f.loadAll {
		return 1, true
	}
	return f.have.whole(), true
}

// stale reports whether the newest knowledge is older than limit.
func (f *follower) stale(now time.Time, limit time.Duration) bool {
	return !f.wholeKnown || now.Sub(f.whole) > limit
}
