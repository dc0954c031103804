package sidecar

import (
	"bytes"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// link is the sidecar's knowledge of the game: whether it lives, which process it is, and what it must get
// and has not confirmed. It has no socket and no clock.
//
//	game unknown ── a datagram with a run ──▶ known: everybody's JOINED is queued, numbers begin at 1
//	known ── another run ──▶ known anew, likewise; behind the JOINEDs what players have sent and nobody has confirmed
//	known ── more queued than a game may be behind ──▶ unknown: a new run of ours, the queue is dropped
//	known ── half of the numbers used, all confirmed ──▶ known: a new run of ours, then as another run
//
// What is queued is sent in order, as much as fits a flight; an acknowledgement takes it out, and a
// timeout sends the flight again.
type link struct {
	run  atomic.Uint32 // ours, of this and the game's next state
	peer atomic.Uint32 // the game's, 0 while it is unknown
	done atomic.Uint32 // the last number that the game has confirmed, so that most confirmations need no lock

	mu sync.Mutex
	// +checklocks:mu
	former uint32 // our run before a renumber, for which this game may still speak; else 0
	// +checklocks:mu
	seats map[uint32]*seat // who plays, by handle
	// +checklocks:mu
	queue []entry // ring
	// +checklocks:mu
	first, count int
	// +checklocks:mu
	bytes int // queued
	// +checklocks:mu
	told struct{ count, bytes int } // of the JOINEDs that a game is told when it begins and that head the queue: it is not behind for those
	// +checklocks:mu
	next uint32 // number of the next that is queued
	// +checklocks:mu
	flown int // how many of the queue are on their way
	// +checklocks:mu
	flownBytes int
	// +checklocks:mu
	due time.Time // when the flight is sent again
	// +checklocks:mu
	patience time.Duration
	// +checklocks:mu
	anew uint64 // how often a game was too far behind
}

// What the lane of a JOINED is the sum of.
const (
	joinedLanes = 1 // the client uses lanes
	joinedAgain = 2 // the player is not new: it was there before this sidecar, or before it knew the game that is told
)

// seat is a player as the game is told.
type seat struct {
	handle uint32
	origin uint8
	lanes  bool
	old    bool   // the player was here before this process
	body   []byte // of the JOINED; constant
}

// entry is a numbered datagram. Its memory is used again.
type entry struct {
	b []byte
}

func newLink() *link {
	l := &link{seats: make(map[uint32]*seat), queue: make([]entry, flightCount), next: 1}
	l.run.Store(drawRun())
	return l
}

// drawRun returns a random number that is not 0.
func drawRun() uint32 { return 1 + rand.Uint32N(math.MaxUint32) }

// header fills in both runs.
func (l *link) header(h Header) Header {
	h.Run, h.Peer = l.run.Load(), l.peer.Load()
	return h
}

// join tells the game of a player.
func (l *link) join(s *seat) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seats[s.handle] = s
	l.put(s.joined(0), s.body)
}

// joined is the header of a JOINED; again is joinedAgain for a player who was there before the game was
// known.
func (s *seat) joined(again uint8) Header {
	lane := again
	if s.lanes {
		lane |= joinedLanes
	}
	if s.old {
		lane |= joinedAgain
	}
	return Header{Kind: Joined, Lane: lane, Code: s.origin, Handle: s.handle}
}

// left tells the game that a player is gone.
func (l *link) left(handle uint32, reason uint8) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seats, handle)
	l.put(Header{Kind: Left, Code: reason, Handle: handle}, nil)
}

// data queues a message that is to reach the game for certain. It reports false if there is no game that
// could get it.
func (l *link) data(h Header, b []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.put(h, b)
}

// put queues a datagram for the game. Without one nothing is queued: when it comes it is told who plays.
//
// +checklocks:l.mu
func (l *link) put(h Header, body []byte) bool {
	if l.peer.Load() == 0 {
		return false
	}
	if l.next == math.MaxUint32 || l.count >= l.told.count+queueCount || l.bytes+HeaderLen+len(body) > l.told.bytes+queueBytes {
		l.forget()
		l.run.Store(drawRun())
		l.peer.Store(0)
		l.anew++
		return false
	}
	l.append(h, body)
	return true
}

// append queues a datagram.
//
// +checklocks:l.mu
func (l *link) append(h Header, body []byte) {
	if l.count == len(l.queue) {
		l.grow()
	}
	e := &l.queue[(l.first+l.count)%len(l.queue)]
	h.Number = l.next
	e.b = append(l.header(h).AppendTo(e.b[:0]), body...)
	l.next++
	l.count++
	l.bytes += len(e.b)
}

// grow doubles the ring.
//
// +checklocks:l.mu
func (l *link) grow() {
	queue := make([]entry, 2*len(l.queue))
	for i := range l.count {
		queue[i] = l.queue[(l.first+i)%len(l.queue)]
	}
	l.queue, l.first = queue, 0
}

// forget empties the queue; numbers begin anew.
//
// +checklocks:l.mu
func (l *link) forget() {
	if len(l.queue) > flightCount {
		l.queue = make([]entry, flightCount)
	}
	l.first, l.count, l.bytes, l.next = 0, 0, 0, 1
	l.done.Store(0)
	l.flown, l.flownBytes = 0, 0
	l.told.count, l.told.bytes = 0, 0
}

// fate is what becomes of a datagram of the game.
type fate uint8

const (
	accepted fate = iota
	stale         // for a former run of the sidecar: it has no effect
	noRun         // no run: the sender does not follow the protocol
	tooMuch       // acknowledges what was not sent
)

// hear takes the header of each datagram of the game.
func (l *link) hear(h Header) fate {
	if h.Run == 0 {
		return noRun
	}
	if h.Run == l.peer.Load() && h.Peer == l.run.Load() && h.Number <= l.done.Load() {
		return accepted // nothing new: no lock
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.Run != l.peer.Load() { // another process, or the first one
		l.begin(h.Run)
		return stale // it cannot know who plays
	}
	if h.Peer == l.former && h.Peer != 0 {
		return accepted // it has not heard of our run yet
	}
	if h.Peer != l.run.Load() {
		return stale
	}
	return l.acknowledge(h.Number)
}

// begin tells a game that has just begun who plays, and then what they have sent that no game has
// confirmed. All of it is queued, however much that is: a game that had to begin anew for it would have
// to do so for ever, and everybody would be put out.
//
// +checklocks:l.mu
func (l *link) begin(run uint32) {
	var kept [][]byte
	for i := range l.count {
		if b := l.queue[(l.first+i)%len(l.queue)].b; Kind(b[1]) == Data {
			kept = append(kept, bytes.Clone(b))
		}
	}
	l.forget()
	l.former = 0
	l.peer.Store(run)
	for _, s := range l.seats {
		l.append(s.joined(joinedAgain), s.body)
	}
	l.told.count, l.told.bytes = l.count, l.bytes
	for _, b := range kept {
		if h, body, err := Parse(b); err == nil && l.seats[h.Handle] != nil {
			l.append(h, body)
		}
	}
}

// acknowledge takes out what the game has.
//
// +checklocks:l.mu
func (l *link) acknowledge(number uint32) fate {
	oldest := l.next - uint32(l.count)
	if number < oldest {
		return accepted // repeated
	}
	n := int(number-oldest) + 1
	if n > l.flown {
		return tooMuch
	}
	for range n {
		e := &l.queue[l.first]
		l.bytes -= len(e.b)
		l.flownBytes -= len(e.b)
		if l.told.count > 0 {
			l.told.count--
			l.told.bytes -= len(e.b)
		}
		if cap(e.b) > maxKept {
			e.b = nil
		}
		l.first = (l.first + 1) % len(l.queue)
	}
	l.count -= n
	l.flown -= n
	l.done.Store(number)
	l.due, l.patience = time.Time{}, 0
	if l.count == 0 && l.next > renumberAfter {
		l.renumber()
	}
	return accepted
}

// renumber has numbers begin at 1 again, in a new run of ours. The game is the same, has got
// everything, and is told again who plays.
//
// +checklocks:l.mu
func (l *link) renumber() {
	former := l.run.Load()
	l.run.Store(drawRun())
	l.begin(l.peer.Load())
	l.former = former
}

// maxKept is how much memory an entry keeps, in bytes.
const maxKept = 4096

// take appends what is to be sent now to b, as datagrams of which ends has the ends.
func (l *link) take(now time.Time, b []byte, ends []int) ([]byte, []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flown > 0 && l.due.IsZero() { // what is left of a flight that was confirmed in part
		l.wait(now)
	}
	if l.flown > 0 && !now.Before(l.due) {
		l.flown, l.flownBytes = 0, 0
	}
	began := l.flown
	for l.flown < l.count && l.flown < flightCount {
		e := &l.queue[(l.first+l.flown)%len(l.queue)]
		if l.flown > 0 && l.flownBytes+len(e.b) > flightBytes {
			break
		}
		b = append(b, e.b...)
		ends = append(ends, len(b))
		l.flown++
		l.flownBytes += len(e.b)
	}
	if began == 0 && l.flown > 0 {
		l.wait(now)
	}
	return b, ends
}

// some reports whether take has something that has not been sent.
func (l *link) some() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flown == l.count || l.flown >= flightCount {
		return false
	}
	e := &l.queue[(l.first+l.flown)%len(l.queue)]
	return l.flown == 0 || l.flownBytes+len(e.b) <= flightBytes
}

// wait sets the time at which the flight is sent again.
//
// +checklocks:l.mu
func (l *link) wait(now time.Time) {
	l.patience = min(max(2*l.patience, resendAfter), resendMax)
	l.due = now.Add(l.patience)
}

// hurry has what is on its way sent again at once, and then as if for the first time.
func (l *link) hurry(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due, l.patience = now, 0
}

// waiting returns how many numbered datagrams are not confirmed, and how often a game was too far behind.
func (l *link) waiting() (count int, anew uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count, l.anew
}
