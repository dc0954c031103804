package transport

import (
	"cmp"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// admission is what handshakes may take, of all shards together: only datagrams
// that begin one, and the end of one, touch it.
//
//	address of a live session    a handshake of its own, if it has none that is unproven
//	else, or besides             its prefixes' share and budget
//	either                       one of MaxHandshakes places, for which another one may have to go
//
// Room is looked at before budget is spent: what is not let in for lack of room costs
// its prefix nothing.
type admission struct {
	most     int64 // constant
	sources  *policy.Sources
	live     *policy.LiveAddresses
	underway atomic.Int64 // handshakes of all shards
}

func newAdmission(c *Config) *admission {
	sources := c.Sources
	sources.Unproven = c.MaxUnproven
	sessions := max(cmp.Or(c.Session.MaxSessions, session.DefaultMaxSessions), 0)
	return &admission{
		most: int64(c.MaxHandshakes), sources: policy.NewSources(sources), live: policy.NewLiveAddresses(sessions),
	}
}

// take takes a place if there is one.
func (a *admission) take() bool {
	for {
		n := a.underway.Load()
		if n >= a.most {
			return false
		}
		if a.underway.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// give gives a place back.
func (a *admission) give() { a.underway.Add(-1) }

// admit finds room for a handshake from an address. It returns nil if there is none,
// and reports whether the room is the address's own.
func (s *shard) admit(now time.Time, addr udp.Flow) (claim *policy.Claim, own bool) {
	if claim = s.server.admission.live.Claim(now, addr.Addr()); claim != nil {
		if s.room(now, true) {
			return claim, true
		}
		claim.Refund()
	}
	if claim = s.server.admission.sources.Claim(now, addr.Addr()); claim != nil {
		if s.room(now, false) {
			return claim, false
		}
		claim.Refund()
	}
	return nil, false
}

// readmit is admit for a handshake that takes the place of another one at its address.
func (s *shard) readmit(now time.Time, o *opening) (claim *policy.Claim, own bool) {
	if !o.conn.Proven() {
		return o.claim.Renew(now), o.own
	}
	if claim = s.server.admission.live.Claim(now, o.addr.Addr()); claim != nil {
		return claim, true
	}
	return s.server.admission.sources.Claim(now, o.addr.Addr()), false
}

// room takes a place for a handshake, or that of a handshake which goes for it. Where
// the other shards hold them all, the one that holds most is asked to let one go, for
// when the datagram comes again.
func (s *shard) room(now time.Time, own bool) bool {
	if s.server.admission.take() {
		return true
	}
	if o := s.dispensable(now, own); o != nil {
		s.evict(o)
		return true
	}
	if now.Sub(s.askedAt) < askInterval {
		return false
	}
	s.askedAt = now
	if other := s.server.busiest(); other != s {
		other.post(func(now time.Time) {
			if o := other.dispensable(now, own); o != nil {
				other.evict(o)
				other.server.admission.give()
			}
		})
	}
	return false
}

// busiest is the shard with most handshakes.
func (s *Server) busiest() (most *shard) {
	for _, sh := range *s.shards.Load() {
		if most == nil || sh.underway.Load() > most.underway.Load() {
			most = sh
		}
	}
	return most
}

// noteAddress notes where a player lives.
func (s *shard) noteAddress(now time.Time, a *association) {
	s.server.admission.live.Note(now, a.addr.Addr())
}

// saveAddresses writes where players live or have lived lately.
func (s *Server) saveAddresses(w *resume.Writer) error {
	for addr, seen := range s.admission.live.All(s.clock.now()) {
		if err := w.Live(resume.LiveAddress{Addr: addr, Seen: s.clock.at(seen).UnixMilli()}); err != nil {
			return err
		}
	}
	return nil
}

// restoreAddresses takes over what another process has saved.
func (s *Server) restoreAddresses(list []resume.LiveAddress) {
	now := s.clock.now()
	for _, e := range list {
		if seen := time.UnixMilli(e.Seen); !seen.After(now) {
			s.admission.live.Note(seen, e.Addr)
		}
	}
}
