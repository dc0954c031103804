package transport

import (
	"context"
	"errors"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/wire"
)

// Serve handles each datagram as it comes, in one goroutine for each of
// Config.Shards sockets, until Shutdown or Close; then it returns
// ErrServerClosed.
func (s *Server) Serve(h Handler) error {
	if err := s.beginServe(); err != nil {
		return err
	}
	defer s.endServe()
	if err := s.addShards(); err != nil {
		return err
	}
	s.settled.Do(s.settleIn)
	shards := *s.shards.Load()
	var others sync.WaitGroup
	for _, sh := range shards[1:] {
		others.Go(func() { _ = sh.loop(h) }) // every loop ends for the same reason
	}
	err := shards[0].loop(h)
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

// addShards opens the sockets beside the first, where sockets can share a port,
// and nobody has been served yet: from then on the kernel gives each address to
// a socket of its own choice, so what any of them got before is forgotten.
// Who sent it will send it again.
func (s *Server) addShards() error {
	shards := *s.shards.Load()
	first := shards[0]
	native, ok := first.socket.(interface {
		sibling() (socket, error)
		steer(shards int)
	})
	first.turns <- struct{}{}
	defer first.endTurn()
	if !ok || len(first.order)+len(first.openings) > 0 {
		return nil
	}
	for len(shards) < min(or(s.config.Shards, runtime.GOMAXPROCS(0)), shardMask+1) {
		sock, err := native.sibling()
		if err != nil {
			return err
		}
		more := append(slices.Clone(shards), newShard(s, sock, len(shards)))
		s.shards.Store(&more)
		shards = more
	}
	if len(shards) == 1 {
		return nil
	}
	native.steer(len(shards))
	for _, sh := range shards {
		for len(sh.socket.receive()) > 0 {
		}
	}
	return nil
}

// loop is a shard's part of Serve.
func (s *shard) loop(h Handler) error {
	for {
		s.turns <- struct{}{}
		if _, err := s.run(h, false); err != nil {
			return err
		}
		s.socket.wait(sweepInterval/4, s.engines)
	}
}

// Poll handles everything that has come since the last Poll, on the caller's
// goroutine and without waiting, and says how many datagrams that were. What
// was sent before goes out first. What the Handler sends, and what is sent
// after, goes out with the next Flush or Poll.
func (s *Server) Poll(h Handler) (int, error) {
	sh := s.first()
	s.mu.Lock()
	serving := s.serving
	s.mu.Unlock()
	if !serving {
		select {
		case sh.turns <- struct{}{}:
			s.settled.Do(s.settleIn)
			sh.out.flush()
			return sh.run(h, true)
		default:
		}
	}
	if s.closed.Load() {
		return 0, ErrServerClosed
	}
	return 0, ErrServing
}

// Flush sends what has been collected since the last Poll.
func (s *Server) Flush() {
	for _, sh := range *s.shards.Load() {
		sh.out.flush()
	}
}

// Hold collects what is sent from now on, until Release: for a game that runs
// Serve and sends from a tick of its own, a system call for many players in place
// of one for each. A full batch goes out earlier, and so does everything when
// somebody else releases. Call Release once for each Hold, soon.
func (s *Server) Hold() {
	for _, sh := range *s.shards.Load() {
		sh.out.keep()
	}
}

// Release ends a Hold, and sends what has been collected.
func (s *Server) Release() {
	for _, sh := range *s.shards.Load() {
		sh.out.let()
	}
}

// endTurn lets the next one run the shard.
func (s *shard) endTurn() { <-s.turns }

// run is one turn, and ends it. hold leaves what is sent to a later Flush.
func (s *shard) run(h Handler, hold bool) (int, error) {
	defer s.endTurn()
	if s.server.closed.Load() {
		return 0, ErrServerClosed
	}
	now := s.server.clock.now()
	s.handler = h.withDefaults()
	s.out.hold(true)
	n := s.turn(now)
	if !hold {
		s.out.hold(false)
	}
	if s == s.server.first() {
		s.server.checkClock(now)
	}
	return n, nil
}

// checkClock compares clocks about once a sweepInterval.
func (s *Server) checkClock(now time.Time) {
	if now.Sub(s.clock.checked) < sweepInterval {
		return
	}
	s.clock.checked = now
	alarm := s.clock.check(now)
	s.gate.StepClock(s.clock.ahead())
	if alarm {
		s.config.Audit.Record(audit.Event{Time: s.clock.at(now), Decision: audit.Alarm, Detail: "wall clock stepped"})
	}
}

// Shutdown admits nobody any more, tells every player that the server shuts
// down, calls Leave for each, and closes it. It waits for a turn that is under
// way; when ctx ends before that turn does, it returns ctx's error, and the
// server closes without a word once it is over. It must not be called from a
// Handler.
//
// With Config.Snapshot it hands the sessions on, and tells the players nothing. If
// the snapshot cannot be written it says so, and ends the sessions.
func (s *Server) Shutdown(ctx context.Context) error {
	var shards []*shard
	for len(shards) < len(*s.shards.Load()) { // Serve may be about to add some
		sh := (*s.shards.Load())[len(shards)]
		select {
		case sh.turns <- struct{}{}:
			shards = append(shards, sh)
		case <-ctx.Done():
			for _, held := range shards {
				held.endTurn()
			}
			if s.stop() {
				go s.finish() // as soon as whoever holds the turn lets go
			}
			return ctx.Err()
		}
	}
	err := s.depart(shards)
	first := s.stop()
	for _, sh := range shards {
		sh.endTurn()
	}
	if !first {
		return net.ErrClosed
	}
	return errors.Join(err, s.finish())
}

// depart hands all sessions on, or ends them.
func (s *Server) depart(shards []*shard) (err error) {
	if s.closed.Load() {
		return nil
	}
	if s.config.Snapshot != "" {
		if err = s.handOver(shards); err == nil {
			return nil
		}
	}
	for _, sh := range shards {
		sh.shutdown(s.clock.now())
	}
	return err
}

// shutdown ends every session of a shard, and lets no new one in.
func (s *shard) shutdown(now time.Time) {
	s.closing = true
	s.handler = s.handler.withDefaults()
	for _, a := range s.order {
		if a.removal.IsZero() {
			s.end(now, a, wire.ReasonShutdown)
		}
	}
	s.out.hold(false)
}

// Close ends everything at once and returns when nothing runs any more. It says
// nothing to players, and does not call Leave. It must not be called from a
// Handler. A second call returns net.ErrClosed.
func (s *Server) Close() error {
	if !s.stop() {
		return net.ErrClosed
	}
	return s.finish()
}

// stop tells everything to end; false if it has been told.
func (s *Server) stop() bool {
	s.mu.Lock()
	again := s.closed.Swap(true)
	s.mu.Unlock()
	if again {
		return false
	}
	s.cancel()
	for _, sh := range *s.shards.Load() {
		sh.socket.wake()
	}
	return true
}

// finish waits until everything has ended.
func (s *Server) finish() error {
	s.loops.Wait()
	for _, sh := range *s.shards.Load() {
		sh.turns <- struct{}{} // a Poll that was under way is over; later ones see closed
		defer sh.endTurn()
	}
	s.wg.Wait()
	s.verifications.wg.Wait()
	var errs []error
	for _, sh := range *s.shards.Load() {
		sh.out.close()
		errs = append(errs, sh.socket.close())
	}
	return errors.Join(errs...)
}
