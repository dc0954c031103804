package transport

import (
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/dtls"
)

// Serve handles each datagram as it comes, in one goroutine for each of
// Config.Shards sockets, until Shutdown or Close; then it returns
// ErrServerClosed.
func (s *Server) Serve(h Handler) error {
	if err := s.beginServe(); err != nil {
		return err
	}
	defer s.endServe()
	if err := s.endpoint.Share(true); err != nil {
		return err
	}
	s.settled.Do(s.settleIn)
	var others sync.WaitGroup
	for sh := range s.shards {
		if sh.Index > 0 {
			others.Go(func() { _ = sh.loop(h) }) // every loop ends for the same reason
		}
	}
	err := s.first().loop(h)
	others.Wait()
	return err
}

func (s *Server) beginServe() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed.Load():
		return ErrServerClosed
	case s.serving:
		return ErrServing
	}
	s.serving = true
	s.loops.Add(1)
	return nil
}

func (s *Server) endServe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving = false
	s.loops.Done()
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

// idle is how long a shard may wait for its socket.
func (s *shard) idle(now time.Time) time.Duration {
	if due := s.endings.next(); !due.IsZero() {
		return min(max(due.Sub(now), 0), dtls.SweepInterval/4)
	}
	return dtls.SweepInterval / 4
}

// Poll handles everything that has come since the last Poll, on the caller's
// goroutine and without waiting, and says how many datagrams that were. The first
// Poll leaves the server with one socket. What was sent before goes out first. What the Handler sends, and what is sent
// after, goes out with the next Flush or Poll.
func (s *Server) Poll(h Handler) (int, error) {
	sh := s.first()
	s.mu.Lock()
	serving := s.serving
	s.mu.Unlock()
	if !serving {
		if sh.Turns.Try() {
			if !s.closed.Load() {
				s.endpoint.Gather()
			}
			s.settled.Do(s.settleIn)
			sh.Out.Flush()
			return sh.run(h, true)
		}
	}
	if s.closed.Load() {
		return 0, ErrServerClosed
	}
	return 0, ErrServing
}

// Flush sends what has been collected since the last Poll.
func (s *Server) Flush() {
	for sh := range s.shards {
		sh.Out.Flush()
	}
}

// Hold collects what is sent from now on, until Release: for a game that runs
// Serve and sends from a tick of its own, a system call for many players in place
// of one for each. A full batch goes out earlier, and so does everything when
// somebody else releases. Call Release once for each Hold, soon.
func (s *Server) Hold() {
	for sh := range s.shards {
		sh.Out.Acquire()
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
	if s.server.closed.Load() {
		return 0, ErrServerClosed
	}
	now := s.server.clock.now()
	s.handler = h.withDefaults()
	s.Out.Hold(true)
	n := s.Turn(now)
	if !hold {
		s.Out.Hold(false)
		s.pause = s.idle(now)
	}
	if s == s.server.first() {
		s.server.checkClock(now)
	}
	return n, nil
}

// checkClock compares clocks about once a sweepInterval, and has the gate forget what is past.
func (s *Server) checkClock(now time.Time) {
	if now.Sub(s.clock.checked) < dtls.SweepInterval {
		return
	}
	s.clock.checked = now
	alarm := s.clock.check(now)
	s.gate.StepClock(s.clock.ahead())
	if alarm {
		s.config.Audit.Record(audit.Event{Time: s.clock.at(now), Decision: audit.Alarm, Detail: "wall clock stepped"})
	}
	if detail := s.gate.Sweep(s.clock.at(now)); detail != "" {
		s.config.Audit.Record(audit.Event{Time: s.clock.at(now), Decision: audit.Alarm, Reason: audit.DropFull, Detail: detail})
	}
}
