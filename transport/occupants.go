package transport

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// occupant is a connection that has an address, or had it until a newer one came. Mostly
// an address has one, which the table of addresses finds. While there are several (a
// player comes again from the same port, a translator has given the port to somebody
// else, a session goes on on another shard) the newest has the address. When it goes, the
// newest of the others gets the address back: any of them may be the one that lives.
type occupant struct {
	here *association // on this shard
	away *stray       // or on another one
}

// stray is where an association was before it moved to another shard. What still comes
// there is passed on, for as long as nobody newer has the address.
type stray struct {
	from, to *shard
	addr     udp.Flow
}

// occupy gives an association its address.
func (s *shard) occupy(a *association) {
	list := s.occupants[a.addr]
	if old := s.associations.Lookup(a.addr); old != nil && len(list) == 0 {
		list = append(list, occupant{here: old})
	}
	if len(list) > 0 {
		s.setOccupants(a.addr, append(list, occupant{here: a}))
	}
	s.associations.Set(a)
	s.last = nil // it may be one that is not found there any more
}

// vacate takes one occupant from an address: the newest of the others gets it.
func (s *shard) vacate(addr udp.Flow, gone occupant) {
	if gone.here != nil {
		s.associations.Remove(gone.here)
	}
	s.last = nil
	list := slices.DeleteFunc(s.occupants[addr], func(o occupant) bool { return o == gone })
	if len(list) == 0 {
		delete(s.occupants, addr)
		return
	}
	if newest := list[len(list)-1].here; newest != nil {
		s.associations.Set(newest)
	}
	if len(list) == 1 && list[0].here != nil {
		list = nil // as the table says
	}
	s.setOccupants(addr, list)
}

// swap has an association that is about to move keep its address, for what is passed on.
func (s *shard) swap(a *association, t *stray) {
	s.associations.Remove(a)
	s.last = nil
	list := s.occupants[a.addr]
	if i := slices.Index(list, occupant{here: a}); i >= 0 {
		list[i] = occupant{away: t}
	} else {
		list = append(list, occupant{away: t})
	}
	s.setOccupants(a.addr, list)
}

func (s *shard) setOccupants(addr udp.Flow, list []occupant) {
	if len(list) == 0 {
		delete(s.occupants, addr)
		return
	}
	if s.occupants == nil {
		s.occupants = make(map[udp.Flow][]occupant)
	}
	s.occupants[addr] = list
}

// away is where the association has moved that has an address, nil if there is none.
func (s *shard) away(addr udp.Flow) *stray {
	if list := s.occupants[addr]; len(list) > 0 {
		return list[len(list)-1].away
	}
	return nil
}

// strayed passes on what belongs to an association that has moved to another shard.
func (s *shard) strayed(addr udp.Flow, b []byte) bool {
	t := s.away(addr)
	if t == nil {
		return false
	}
	s.cross(t.to, addr, b)
	return true
}

// recall ends that, for an association that goes.
func (s *shard) recall(a *association) {
	if t := a.stray; t != nil {
		a.stray = nil
		t.from.post(func(time.Time) { t.from.vacate(t.addr, occupant{away: t}) })
	}
}

// astride handles what comes from the address of an association that has moved to another
// shard, while its player makes another connection from there: it may belong to either,
// and the old one goes on until the new one has the session. Opening destroys what it
// fails on, so the second gets a copy.
func (s *shard) astride(now time.Time, o *opening, b []byte) {
	s.scratch = append(s.scratch[:0], b...)
	if o.ready != nil {
		if any, _ := s.try(now, o.ready, b); any {
			return
		}
		b = nil
	}
	s.strayed(o.addr, s.scratch)
	if b != nil {
		s.opening(now, o, b)
	}
}
