package soak

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/transport"
)

// seen is a stay's knowledge from its snapshots. Only the receiver uses it.
type seen struct {
	last   time.Time // when the last one came
	match  uint32    // of the process that it came from
	former uint32    // of the one before, 0 without
	before uint64    // inputs delivered to former processes
	body   uint32    // the player's number in the match
	newest uint32    // input that has been acknowledged
}

// receive reads snapshots until the session is over.
func (s *stay) receive() {
	defer close(s.ended)
	var buf [transport.MaxPayload]byte
	for {
		n, err := s.client.Receive(context.Background(), buf[:])
		if err != nil {
			if !s.leaving.Load() {
				s.run.closed.Count(reason(err))
			}
			return
		}
		snapshot, err := arena.ParseSnapshot(buf[:n])
		if err != nil {
			s.run.closed.Count("snapshot malformed")
			return
		}
		s.look(time.Now(), &snapshot)
	}
}

// look takes a snapshot into account.
func (s *stay) look(now time.Time, snapshot *arena.Snapshot) {
	r, seen := s.run, &s.seen
	r.received.Add(1)
	if snapshot.Match == seen.former {
		return // it has been overtaken by one of the next process
	}
	s.rate.Store(uint64(snapshot.Rate))
	if snapshot.Match != seen.match {
		s.arrive(now, snapshot)
	}
	seen.last = now
	if snapshot.You.Player != seen.body {
		r.strangers.Add(1)
		seen.body = snapshot.You.Player
	}
	if n := seen.before + snapshot.Delivered; n > s.delivered.Load() {
		s.delivered.Store(n)
	}
	if ended, took := s.turn.see(now, snapshot); ended {
		r.turned.Add(1)
		r.pauses.add(took)
	}
	if snapshot.Newest > seen.newest {
		seen.newest = snapshot.Newest
		if sent := r.began.Add(time.Duration(snapshot.Time)); !s.turn.delayed(sent) {
			r.rtt.add(now.Sub(sent))
		}
		have := s.delivered.Load() + s.ledger.taken(seen.newest)
		s.turn.settle(seen.newest, uint64(seen.newest)-min(have, uint64(seen.newest)))
	}
}

// arrive takes the first snapshot of a process into account: the player has come to it, from another one or from nowhere.
// What was sent since the newest input that the old process has acknowledged may be lost: nobody listened.
func (s *stay) arrive(now time.Time, snapshot *arena.Snapshot) {
	seen := &s.seen
	if seen.match != 0 {
		taken := s.dropped.Load() // before sent, of which it is a part
		sent := s.sent.Load()
		since := sent - uint64(seen.newest) - (taken - s.ledger.taken(seen.newest))
		s.turn.begin(seen.last, 0, uint32(sent)+1)
		s.turn.allow(since)
		s.run.arrived.Add(1)
	}
	seen.former, seen.match = seen.match, snapshot.Match
	seen.before, seen.body = s.delivered.Load(), snapshot.You.Player
}

// event is told what happens to the session.
func (s *stay) event(ev transport.ClientEvent) {
	switch ev.Kind {
	case transport.EventRenewed:
		s.run.renewals.Add(1)
	case transport.EventLost:
		s.run.lostPaths.Add(1)
	case transport.EventResumed:
		s.run.tickets.Add(1)
	}
}
