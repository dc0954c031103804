package transport

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// Drain sends every player to another server of the fleet: to is its address, host:port, with the
// name of a host, an IPv4 address, or an IPv6 address in brackets, 64 bytes at most. Players whose
// client follows resume there by ticket, under the same certificate name or pin as here, and play on
// here until they do; here they leave with session.ReasonReplaced. The servers have to share
// session.Config.FleetKeys, and the matches have to be one as far as the game is concerned.
//
// Drain returns nil once nobody plays here any more, ctx's error when it ends before, and
// ErrServerClosed if the server is closed. Players remain whose client cannot follow, because it is an
// older one, is in bearer mode, or is refused there; Shutdown ends their sessions. Clients are told how
// long ctx has left, and try for that long, between 10 s and 10 min. Each player is told once a second.
// Whoever is admitted meanwhile is sent on, too: refuse newcomers by session.Config.Authorize where
// that is not wanted.
//
// A later Drain replaces the address; Shutdown names the last one to whoever has not left by then. An
// address that clients would ignore is an error that matches ErrConfig. Drain must not be called from
// a Handler.
func (s *Server) Drain(ctx context.Context, to string) error {
	if err := CheckDestination(to); err != nil {
		return err
	}
	s.destination.Store(&to)
	announce := time.NewTicker(drainRepeat)
	defer announce.Stop()
	look := time.NewTicker(drainLook)
	defer look.Stop()
	for {
		s.redirect(to, withinOf(ctx))
		for told := false; !told; {
			select {
			case <-s.endpoint.Context().Done():
				return ErrServerClosed
			case <-ctx.Done():
				return ctx.Err()
			case <-announce.C:
				told = true
			case <-look.C:
			}
			if s.sessions.live.Load() == 0 {
				return nil
			}
		}
	}
}

// CheckDestination returns the error that Server.Drain returns for an address that clients would
// ignore, and nil for an address that they follow.
func CheckDestination(to string) error {
	if _, _, ok := wire.ParseDestination(to); ok {
		return nil
	}
	return badConfig(fmt.Sprintf("Drain: %.*q is no address of a server: give host:port of at most %d bytes, such as match-2.example.com:7777 or [2001:db8::17]:7777",
		maxQuoted, to, wire.MaxDetail))
}

// withinOf returns the milliseconds that clients are told.
func withinOf(ctx context.Context) uint32 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return uint32(redirectLeast / time.Millisecond)
	}
	return uint32(min(max(time.Until(deadline).Milliseconds(), 0), math.MaxUint32))
}

// redirect tells every player to go to another server.
func (s *Server) redirect(to string, within uint32) {
	body := wire.NoticeBody{Code: wire.NoticeDrain, Within: within, Detail: []byte(to)}.AppendTo(nil)
	for sh := range s.shards {
		sh.Post(redirected{sh, body})
	}
}

// redirected is a NOTICE of drain for a shard's players.
type redirected struct {
	shard *shard
	body  []byte
}

func (m redirected) Deliver(time.Time) {
	ps := &m.shard.players
	ps.mu.RLock() // the list changes in this turn only
	defer ps.mu.RUnlock()
	for _, p := range ps.list {
		if c := p.conn; c.ending == nil {
			c.send(c.Addr, wire.KindNotice, m.body) //nolint:errcheck // a lost datagram: it is repeated
		}
	}
}

// lastNotice is the NOTICE of drain before the CLOSE.
func (s *Server) lastNotice() []byte {
	detail := "shutting down"
	if to := s.destination.Load(); to != nil {
		detail = *to
	}
	return wire.NoticeBody{Code: wire.NoticeDrain, Detail: []byte(detail)}.AppendTo(nil)
}
