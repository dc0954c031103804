package gateway

import (
	"sync"
	"sync/atomic"
)

// table gives players handles, and finds them by those. A handle is a place in the low 16 bits and,
// above, a number that grows each time the place is given to another player; it is never 0. Places that
// have been free for longest are given first, so that an old handle names nobody for as long as
// possible.
type table struct {
	at [places]atomic.Pointer[Player]

	mu sync.Mutex
	// +checklocks:mu
	uses [places]uint16 // how often each place has been given
	// +checklocks:mu
	free []uint16 // ring of free places
	// +checklocks:mu
	first, count int // of the ring
	// +checklocks:mu
	sessions map[uint32]*Player // by Session.ID
}

func newTable() *table {
	t := &table{free: make([]uint16, places), count: places, sessions: make(map[uint32]*Player)}
	for i := range t.free {
		t.free[i] = uint16(i)
	}
	return t
}

// add gives p a handle. It reports false if there is no place.
func (t *table) add(p *Player) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == 0 {
		return false
	}
	place := t.free[t.first]
	t.first, t.count = (t.first+1)%places, t.count-1
	if t.uses[place]++; t.uses[place] == 0 {
		t.uses[place] = 1 // so that no handle is 0
	}
	p.handle = uint32(t.uses[place])<<16 | uint32(place)
	t.sessions[p.session.ID()] = p
	t.at[place].Store(p)
	return true
}

// remove takes p's handle away, and reports whether p had it still.
func (t *table) remove(p *Player) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	place := uint16(p.handle)
	if t.at[place].Load() != p {
		return false
	}
	t.at[place].Store(nil)
	t.free[(t.first+t.count)%places] = place
	t.count++
	if t.sessions[p.session.ID()] == p {
		delete(t.sessions, p.session.ID())
	}
	return true
}

// find returns the player with a handle, nil if there is none. It takes no lock.
func (t *table) find(handle uint32) *Player {
	p := t.at[uint16(handle)].Load()
	if p == nil || p.handle != handle {
		return nil
	}
	return p
}

// bySession returns the player whose session has an id, nil if there is none.
func (t *table) bySession(id uint32) *Player {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions[id]
}

// all calls f for each player until it returns false.
func (t *table) all(f func(*Player) bool) {
	for i := range t.at {
		if p := t.at[i].Load(); p != nil && !f(p) {
			return
		}
	}
}
