package transport

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// Shutdown admits nobody any more, tells every player by NOTICE of drain and CLOSE that the server
// shuts down, and closes once each has answered, or after a second. Nobody needs to call Poll
// meanwhile. It waits for a turn that is under way. If ctx ends before that turn does, it returns
// ctx's error, and once the turn is over the server closes without telling the players. If ctx ends
// later, it returns ctx's error, too, and players whose CLOSE is lost find out by silence. It must
// not be called from a Handler. Serve and Poll return ErrServerClosed while it is at work: a
// program ends when Shutdown has returned.
//
// With Config.Snapshot it hands the sessions on, and tells the players nothing. If the snapshot
// cannot be written, Shutdown reports that as an error and as an alarm in the audit, and ends the
// sessions. Leave is called for each either way, with session.ReasonShutdown; whom the match bans
// or kicks there does not come back by the snapshot. Once it has begun no message is delivered or
// acknowledged any more; those of lanes go on in the next process, where Handler.Receipt is called
// for them. Those for which Config.Snapshot has no room are reported as lost, before Leave. A
// waiting CloseAfter ends its session at once. If a Handler panics, so does Shutdown, when it has done
// the rest.
func (s *Server) Shutdown(ctx context.Context) error {
	s.lifetime.leaving.Store(true)
	var shards []*shard
	for len(shards) < len(s.endpoint.All()) { // Serve may be about to add some
		sh := shardOf(s.endpoint.All()[len(shards)])
		if sh.Turns.Begin(ctx.Done()) {
			shards = append(shards, sh)
			continue
		}
		for _, held := range shards {
			held.Turns.End()
		}
		if s.stop() {
			go s.finish() // as soon as whoever holds the turn lets go
		}
		return ctx.Err()
	}
	var late panics
	defer late.goOn()
	err := s.handover.depart(shards, &late)
	first := s.stop()
	if first {
		err = errors.Join(err, seeOff(ctx, s.clock, shards))
	}
	for _, sh := range shards {
		sh.Turns.End()
	}
	if !first {
		return ErrServerClosed
	}
	return errors.Join(err, s.finish())
}

// refuseNewcomers ends every connection that has no player yet.
func (s *shard) refuseNewcomers(now time.Time) {
	for _, c := range s.Table.All() {
		if a := connOf(c); a.player == nil && a.ending == nil {
			a.end(now, wire.ReasonShutdown)
		}
	}
}

// shutdown announces the end to every player of a shard by NOTICE, ends every session, and lets no
// new one in.
func (s *shard) shutdown(now time.Time) {
	s.Handshakes.Refuse()
	drain := s.server.lastNotice()
	for _, c := range s.Table.All() {
		if a := connOf(c); a.ending == nil {
			if a.player != nil {
				a.send(a.Addr, wire.KindNotice, drain) //nolint:errcheck // a lost datagram
			}
			a.end(now, wire.ReasonShutdown)
		}
	}
	s.Out.Hold(false)
}

// Close ends everything at once and returns when nothing runs any more. It says
// nothing to players, and does not call Leave; whom the match has put out stays out. It
// must not be called from a Handler. A second call returns ErrServerClosed.
func (s *Server) Close() error {
	s.lifetime.leaving.Store(true)
	if !s.stop() {
		return ErrServerClosed
	}
	return s.finish()
}

// stop tells everything to end; false if it has been told.
func (s *Server) stop() bool {
	if !s.lifetime.close() {
		return false
	}
	s.endpoint.Stop()
	return true
}

// putOut ends the sessions of those whom the match has put out without a turn that could tell them.
func (s *shard) putOut() {
	for _, m := range s.Undelivered() {
		if k, ok := m.(kicked); ok {
			k.player.session.PutOut(k.reason)
		}
	}
	for _, k := range s.closings() {
		k.player.session.PutOut(k.reason)
	}
}

// finish waits until everything has ended.
func (s *Server) finish() error {
	s.lifetime.loops.Wait()
	for sh := range s.shards {
		sh.Turns.Begin(nil) // a Poll that was under way is over; later ones see closed
		defer sh.Turns.End()
	}
	s.endpoint.Wait()
	s.verifications.wg.Wait()
	if s.filtering != nil {
		s.filtering.wg.Wait()
	}
	var errs []error
	for sh := range s.shards {
		sh.putOut()
		sh.Out.Close()
	}
	for sh := range s.shards {
		errs = append(errs, sh.Close())
	}
	if s.audit.log != nil {
		errs = append(errs, s.audit.log.Close())
	}
	return errors.Join(errs...)
}
