package soak

import (
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/transport"
)

// seen is a stay's knowledge from its snapshots. Only the receiver uses it.
type seen struct {
	last   time.Time // when the last one came; before, when the player joined
	match  uint32    // of the process that it came from
	former uint32    // of the one before, 0 without
	before uint64    // inputs delivered to former processes
	body   uint32    // the player's number in the match
	newest uint32    // input that has been acknowledged
	ticks  ticks
	rate   uint16        // ticks a second
	late   time.Duration // how long the first one was overdue
}

// ticks counts those that matches have played while the player was in them, by the numbers in its
// snapshots. A busy machine plays fewer of them a second than it should.
type ticks struct {
	past        uint64 // in former processes
	first, last uint32 // of the present one
}

// begin takes the first snapshot of a process into account.
func (t *ticks) begin(tick uint32) {
	t.past, t.first, t.last = t.count(), tick, tick
}

// see takes a snapshot of the present process into account, which may be late.
func (t *ticks) see(tick uint32) { t.last = max(t.last, tick) }

func (t *ticks) count() uint64 {
	if t.first == 0 {
		return 0
	}
	return t.past + uint64(t.last-t.first) + 1
}

// receive takes what comes until the session is over.
func (s *stay) receive() {
	defer close(s.ended)
	if err := s.client.Serve(s.handler()); !s.leaving.Load() {
		s.run.closed.Count(reason(err))
	}
}

// handler takes what comes for the player.
func (s *stay) handler() transport.ClientHandler {
	return transport.ClientHandler{Receive: s.take, Message: s.lanes.message, Latest: s.lanes.latest, Receipt: s.lanes.receipt}
}

// take takes a payload.
func (s *stay) take(payload []byte) {
	snapshot, err := arena.ParseSnapshot(payload)
	if err != nil {
		s.run.closed.Count("snapshot malformed")
		return
	}
	s.shown.Store(int64(len(payload)))
	s.look(time.Now(), &snapshot)
}

// look takes a snapshot into account.
func (s *stay) look(now time.Time, snapshot *arena.Snapshot) {
	r, seen := s.run, &s.seen
	r.received.Add(1)
	if snapshot.Match == seen.former {
		return // it has been overtaken by one of the next process
	}
	if seen.match == 0 {
		seen.late = overdue(now, seen.last)
	}
	if snapshot.Match != seen.match {
		s.arrive(now, snapshot)
	}
	seen.last, seen.rate = now, snapshot.Rate
	seen.ticks.see(snapshot.Tick)
	if snapshot.You.Player != seen.body {
		r.strangers.Add(1)
		seen.body = snapshot.You.Player
	}
	if n := seen.before + snapshot.Delivered; n > s.delivered.Load() {
		s.delivered.Store(n)
	}
	if ended, took := s.turn.see(now, snapshot); ended {
		r.turned.Add(1)
		r.pauses.add(now.Add(-took), now)
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
	seen.ticks.begin(snapshot.Tick)
}

// expected is how many snapshots the player ought to have received: one of each tick that the match
// has played, and those of the time in which it was silent at the beginning and at the end, without
// those that the network took. It is for when nothing more will be received.
func (s *stay) expected(now time.Time) uint64 {
	config, seen := &s.run.config, &s.seen
	silent := seen.late + max(overdue(now, seen.last)-config.Hang, 0) - config.Blackout
	sent := float64(seen.ticks.count()) + silent.Seconds()*float64(seen.rate)
	return uint64(max(sent-float64(s.taken.Load()), 0))
}

// overdue is for how long a snapshot has been missed since the last one, which a busy machine does
// not explain.
func overdue(now, last time.Time) time.Duration { return max(now.Sub(last)-pauseTime, 0) }

// event is told what happens to the session.
func (s *stay) event(ev transport.ClientEvent) {
	switch ev.Kind {
	case transport.EventRenewed:
		s.run.renewals.Add(1)
	case transport.EventNotice:
		if ev.To != "" {
			s.sentTo = ev.To
		}
	case transport.EventLost:
		s.run.lostPaths.Add(1)
	case transport.EventResumed:
		s.run.tickets.Add(1)
		if s.sentTo != "" {
			s.run.drained.Count(s.sentTo)
			s.sentTo = ""
		}
		if ev.LanesLost {
			s.lanes.anew()
		}
	}
}
