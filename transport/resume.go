package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/udp"
)

// A player comes back by a new connection while the old one stands. Both are
// associations of one shard, and the new one knows the old as before:
//
//	keys proven        at the old one's own address: it loses its place in the table of addresses, nothing else
//	HELLO, ticket      before is where the session lives; WELCOME
//	first datagram     the player moves over, and the old association goes without a word
//
// Until then everything for the player goes out by the old one, and what still
// comes in by it counts. Where the new one fails, the old one gets its place back.

// resume answers a ticket: the session lives on the association that hint names, or
// nowhere here. One that lives on another shard stays there, and the newcomer moves.
func (s *shard) resume(now time.Time, a *association, hint uint32) {
	if home := s.server.home(hint); hint != 0 && home != nil && home.index != s.index {
		s.post(func(time.Time) { s.move(a, home, hint) }) // whose datagram is still being opened here
		return
	}
	s.resumed(now, a, hint)
}

func (s *shard) resumed(now time.Time, a *association, hint uint32) {
	former := s.hints[hint]
	if former == nil && hint != 0 { // it has moved since
		former = s.hints[a.match.Former()]
	}
	var live *machine.Conn
	var sent uint64
	if former != nil {
		live = &former.match
		s.out.mu.Lock()
		sent = live.Sequence()
		s.out.mu.Unlock()
	}
	switch {
	case former == nil:
	case former.player == nil: // it waits for its own first datagram
		defer s.displace(former)
	default:
		a.before = former
	}
	reply, ev := a.match.Resume(now, live, sent)
	if ev.Kind == machine.EventRefused && a.before != nil && a.before.addr != a.addr {
		a.before = nil
	}
	s.drop(ev.Drop)
	s.outcome(now, a, reply, ev)
}

// displace forgets an association whose session has gone to a newer one before any
// datagram came.
func (s *shard) displace(a *association) {
	if a.place >= 0 && a.match.Vanished() {
		s.remove(a)
	}
}

// settle moves the player over once its session has moved, or lets in one whose
// session has lived nowhere here. Until then a has none.
func (s *shard) settle(now time.Time, a *association) {
	old := a.before
	if a.match.Waiting() || !a.match.Resumed() {
		return
	}
	if old == nil || old.player == nil || old.match.Session() != a.match.Session() {
		s.joined(now, a, machine.Event{Kind: machine.EventResumed})
		return
	}
	a.before = nil
	p := old.player
	a.player, old.player = p, nil
	if old.path != nil && a.path == nil {
		a.path = &path{rested: old.path.rested} // a new connection buys no moves
	}
	s.out.mu.Lock()
	a.match.Follow(&old.match)
	p.association = a
	s.out.mu.Unlock()
	s.record(now, a, audit.Resume, machine.Event{})
	s.noteAddress(now, a)
	s.remove(old)
}

// between opens what may be the new association's or that of the one before. A hint
// says which; without, only what comes from the address of both can be either's. Since
// opening destroys what it fails on, a second try needs a copy.
func (s *shard) between(now time.Time, a *association, b []byte) (any bool, failed int) {
	old := a.before
	hint, ok := hintOf(b)
	switch {
	case old.place < 0:
		return s.open(now, a, b)
	case ok && hint == old.hint:
		return s.open(now, old, b)
	case old.addr != a.addr:
		return s.open(now, a, b)
	}
	s.second = append(s.second[:0], b...)
	if any, failed = s.open(now, a, b); any {
		return any, failed
	}
	return s.open(now, old, s.second)
}

// home is the shard that a hint names, nil if there is none. A process that ran more
// shards than this one may have left its hints.
func (s *Server) home(hint uint32) *shard {
	shards := *s.shards.Load()
	i := int(hint & udp.ShardMask)
	if i >= len(shards) && !s.inherits {
		return nil
	}
	return shards[i%len(shards)]
}

// move hands an association that has no player over to another shard, unless it has
// gone. What comes from its address is passed on; see occupant.
func (s *shard) move(a *association, to *shard, hint uint32) {
	if s.associations.Lookup(a.addr) != a {
		return
	}
	a.before = nil
	from := &stray{s, to, a.addr}
	s.swap(a, from) // nobody else gets the address meanwhile
	s.unlist(a)
	clear(s.found[:]) // nor is it found here any more
	to.post(func(now time.Time) {
		a.shard, a.hint, a.stray = to, to.newHint(), from
		a.match.SetHint(a.hint)
		to.adopt(now, a)
		to.resumed(now, a, hint)
	})
}
