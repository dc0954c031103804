package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
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
func (a *association) resume(now time.Time, hint uint32) {
	s := a.self.shard
	if home := s.server.home(hint); hint != 0 && home != nil && home.Index != s.Index {
		s.Post(leaving{a, home, hint}) // whose datagram is still being opened here
		return
	}
	a.resumeHere(now, hint)
}

// leaving is an association without a player whose session lives on another shard.
type leaving struct {
	association *association
	to          *shard
	hint        uint32
}

func (m leaving) Deliver(time.Time) { m.association.Conn.Move(m.to.Shard, arriving(m)) }

// arriving is the same when it is there.
type arriving leaving

func (m arriving) Deliver(now time.Time) {
	a := m.association
	a.self.shard = m.to
	a.match.SetHint(a.ID)
	a.resumeHere(now, m.hint)
}

// resumeHere answers a ticket whose session lives on this shard, if it lives at all.
func (a *association) resumeHere(now time.Time, hint uint32) {
	t := &a.Shard.Table
	former := associationOf(t.Find(hint))
	if former == nil && hint != 0 { // it has moved since
		former = associationOf(t.Find(a.match.Former()))
	}
	var live *machine.Conn
	var sent uint64
	if former != nil {
		live = &former.match
		a.Shard.Out.Mu.Lock()
		sent = live.Sequence()
		a.Shard.Out.Mu.Unlock()
	}
	switch {
	case former == nil:
	case former.player == nil: // it waits for its own first datagram
	default:
		a.Former = &former.Conn
	}
	reply, ev := a.match.Resume(now, live, sent)
	if ev.Kind == machine.EventRefused && a.Former != nil && a.Former.Addr != a.Addr {
		a.Former = nil
	}
	a.Shard.Drop(ev.Drop)
	a.act(now, reply, ev)
	if ev.Displaces && former.Listed() {
		former.Remove()
	}
}

// enter lets a player in whose session was resumed here, or moves it over from the former
// connection. Until then a has none.
func (a *association) enter(now time.Time, how machine.EventKind) {
	old := a.before()
	if how != machine.EventTakeover || old == nil || old.player == nil {
		a.join(now, machine.Event{Kind: machine.EventResumed})
		return
	}
	a.Former = nil
	p := old.player
	a.player, old.player = p, nil
	a.Follow(&old.Conn)
	a.Shard.Out.Mu.Lock()
	a.match.Follow(&old.match)
	p.association = a
	a.Shard.Out.Mu.Unlock()
	a.audit(now, audit.Resume, machine.Event{})
	a.NoteAddress(now)
	old.Remove()
}
