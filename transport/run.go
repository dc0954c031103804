package transport

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/dtls"
)

// Serve handles each datagram as it comes, in one goroutine for each of
// Config.Shards sockets, until Shutdown or Close; then it returns
// ErrServerClosed.
func (s *Server) Serve(h Handler) error {
	if err := s.lifetime.begin(); err != nil {
		return err
	}
	defer s.lifetime.end()
	if err := s.endpoint.Share(true); err != nil {
		return err
	}
	s.handover.settle()
	var others sync.WaitGroup
	for sh := range s.shards {
		if sh.Index > 0 {
			others.Go(func() { _ = sh.loop(h) }) // every loop ends for the same reason
		}
	}
	err := shardOf(s.endpoint.First()).loop(h)
	others.Wait()
	return err
}

// lifetime is the beginning and the end of a server.
type lifetime struct {
	mu sync.Mutex
	// +checklocks:mu
	serving bool
	closed  atomic.Bool    // set under mu
	leaving atomic.Bool    // Shutdown or Close has begun, and closed follows
	loops   sync.WaitGroup // Serve, which begins under mu; Close waits
}

// begin is called as Serve begins.
func (r *lifetime) begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed.Load():
		return ErrServerClosed
	case r.serving:
		return ErrServing
	}
	r.serving = true
	r.loops.Add(1)
	return nil
}

// end is called as Serve ends.
func (r *lifetime) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serving = false
	r.loops.Done()
}

// close has Serve end, and Poll. It reports false if that has been done.
func (r *lifetime) close() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.closed.Swap(true)
}

// inServe reports whether Serve has begun and not ended.
func (r *lifetime) inServe() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.serving
}

// loop is a shard's part of Serve.
func (s *shard) loop(h Handler) error {
	for {
		s.Turns.Begin(nil)
		if _, err := s.run(h, false); err != nil {
			return err
		}
		s.Socket.Wait(s.pause, s.engines)
	}
}

// idle is how long their shard may wait for its socket.
func (es *endings) idle(now time.Time) time.Duration {
	if due := es.next(); !due.IsZero() {
		return min(max(due.Sub(now), 0), dtls.SweepInterval/4)
	}
	return dtls.SweepInterval / 4
}

// Poll handles everything that has arrived since the last Poll, on the caller's goroutine and without waiting, and
// returns the number of datagrams. The first Poll closes all sockets but one. What was sent before goes out first. What
// the Handler sends, and what is sent later, goes out with the next Flush or Poll.
func (s *Server) Poll(h Handler) (int, error) {
	sh := shardOf(s.endpoint.First())
	if !s.lifetime.inServe() {
		if sh.Turns.Try() {
			if !s.lifetime.closed.Load() {
				s.gather()
			}
			sh.Out.Flush()
			return sh.run(h, true)
		}
	}
	if s.lifetime.closed.Load() || s.lifetime.leaving.Load() { // Shutdown has the turn
		return 0, ErrServerClosed
	}
	return 0, ErrServing
}

// gather leaves the server with its first shard, in that one's turn. The sessions of the process
// before are there when what the other sockets have got is handled: some of it is theirs.
func (s *Server) gather() {
	early := s.endpoint.Gather()
	s.handover.settle()
	if early != nil {
		s.endpoint.First().Post(early)
	}
}

// Flush sends what has been collected since the last Poll.
func (s *Server) Flush() {
	for sh := range s.shards {
		sh.Out.Flush()
	}
}

// Hold collects what is sent until Release: a game that runs Serve and sends from a tick of its own
// then needs one system call for many players in place of one for each. A full batch goes out
// earlier, and so does everything when somebody else releases. Call Release once for each Hold, and
// soon.
func (s *Server) Hold() {
	now := s.clock.now()
	for sh := range s.shards {
		sh.Out.Acquire()
		sh.schedule.holds(now)
	}
}

// Release ends a Hold, and sends what has been collected.
func (s *Server) Release() {
	for sh := range s.shards {
		sh.Out.Release()
	}
}

// run is one turn, and ends it. hold leaves what is sent to a later Flush.
func (s *shard) run(h Handler, hold bool) (int, error) {
	defer s.Turns.End()
	if s.server.lifetime.closed.Load() {
		return 0, ErrServerClosed
	}
	now := s.server.clock.now()
	s.handler = h.withDefaults()
	s.Out.Hold(true)
	s.schedule.wakes(now)
	s.PeersFirst = !hold // else nothing goes out before the next Flush
	n, now := s.Turn(now)
	s.receipts.deliver()
	if !hold {
		s.Out.Hold(false)
		more := s.Greet(now, n)
		s.engines = s.Handshakes.Busy(now)
		now = s.server.clock.now() // a handler may have taken its time since
		s.pause = s.schedule.sleep(now, s.endings.idle(now))
		if more {
			s.pause = 0
		}
	}
	if s.Shard == s.Endpoint.First() {
		s.server.checkClock(now)
	}
	return n, nil
}

// checkClock compares clocks about once a sweepInterval, and has the gate forget what is past. It
// belongs to the first shard's turn.
func (s *Server) checkClock(now time.Time) {
	if now.Sub(s.clock.checked) < dtls.SweepInterval {
		return
	}
	s.clock.checked = now
	alarm := s.clock.check()
	s.gate.StepClock(now, s.clock.ahead())
	if alarm {
		s.audit.Record(audit.Event{Time: s.clock.at(now), Decision: audit.Alarm, Detail: "wall clock stepped"})
	}
	s.outages.check(s, s.clock.at(now))
	s.closedSockets.check(s, s.clock.at(now))
	s.audit.feedLines.summarize(s)
	if detail := s.gate.Sweep(now); detail != "" {
		s.audit.Record(audit.Event{Time: s.clock.at(now), Decision: audit.Alarm, Reason: audit.DropFull, Detail: detail})
	}
}
