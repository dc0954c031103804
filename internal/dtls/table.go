package dtls

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/udp"
)

// Table finds a shard's connections: by address, by connection id, and all of them. It belongs
// to the shard's turn.
type Table struct {
	byAddr    *addrtable.Table[Conn]
	occupants map[udp.Flow][]occupant // of addresses that several have had; oldest first; nil without
	byID      map[uint32]*Conn
	draw      func() uint32 // what ids are made of: random, but for a test
	order     []*Conn
	last      *Conn // what at looks at first
	ahead     ahead
}

// occupant is a connection that has an address, or had it until a newer one came. Mostly
// an address has one, which byAddr finds. While there are several (a peer comes again from the
// same port, a translator has given the port to somebody else, a connection has moved to
// another shard) the newest has the address. When it goes, the newest of the others gets the
// address back: any of them may be the one that lives.
type occupant struct {
	here *Conn  // on this shard
	away *stray // or on another one
}

func newTable() Table {
	return Table{byAddr: addrtable.NewFlows(func(c *Conn) *udp.Flow { return &c.Addr }), byID: make(map[uint32]*Conn), draw: random}
}

// At finds the connection at an address. Datagrams of one peer often follow each other, so the
// last answer is looked at first.
func (t *Table) At(addr udp.Flow) *Conn {
	if t.last == nil || t.last.Addr != addr || t.last.place < 0 {
		t.last = t.byAddr.Lookup(addr)
	}
	return t.last
}

// All is every connection, in no order. It is valid until one is confirmed or removed.
func (t *Table) All() []*Conn { return t.order }

// Find is the connection with an id, nil without.
func (t *Table) Find(id uint32) *Conn { return t.byID[id] }

// list adds a connection to those that are not found by address. Here it gets its id: one that it had
// before it is found by it, another one could get as well.
func (t *Table) list(c *Conn) {
	if m, ok := c.User.(Mover); ok && c.ID == 0 {
		c.ID = t.newID(c.Shard.Index)
		m.Identified(c.ID)
	}
	if c.ID != 0 {
		t.byID[c.ID] = c
	}
	c.place = int32(len(t.order))
	t.order = append(t.order, c)
}

// unlist takes it out of those.
func (t *Table) unlist(c *Conn) {
	if t.byID[c.ID] == c {
		delete(t.byID, c.ID)
	}
	last := len(t.order) - 1
	t.order[c.place] = t.order[last]
	t.order[c.place].place = c.place
	t.order[last] = nil
	t.order = t.order[:last]
	c.place = removed
}

// Adopt puts a connection in its address's place. Another one there that stays goes on beside
// it, as its former, until it is known who has come.
func (t *Table) Adopt(now time.Time, c *Conn) {
	old := t.byAddr.Lookup(c.Addr)
	for ; old != nil && !old.User.Replaced(now); old = t.byAddr.Lookup(c.Addr) {
		t.Remove(old) // which may bring back the one before it
	}
	c.Former = old
	t.occupy(c)
	t.list(c)
	c.known()
}

// Remove forgets a connection.
func (t *Table) Remove(c *Conn) {
	t.vacate(c.Addr, occupant{here: c})
	c.Former = nil
	t.unlist(c)
	c.stray.recall()
	c.stray = nil
	c.Shard.left(c.Addr, c.ID)
	c.Shard.Out.Wipe(c)
}

// occupy gives a connection its address.
func (t *Table) occupy(c *Conn) {
	list := t.occupants[c.Addr]
	if old := t.byAddr.Lookup(c.Addr); old != nil && len(list) == 0 {
		list = append(list, occupant{here: old})
	}
	if len(list) > 0 {
		t.setOccupants(c.Addr, append(list, occupant{here: c}))
	}
	t.byAddr.Set(c)
	c.Shard.Endpoint.lodgers.add(c.Addr, 1)
	t.last = nil // it may be one that is not found there any more, and so may be those found ahead
	t.ahead.forget()
}

// vacate takes one occupant from an address: the newest of the others gets it.
func (t *Table) vacate(addr udp.Flow, gone occupant) {
	if gone.here != nil {
		t.byAddr.Remove(gone.here)
		gone.here.Shard.Endpoint.lodgers.add(addr, -1)
	}
	t.last = nil
	list := slices.DeleteFunc(t.occupants[addr], func(o occupant) bool { return o == gone })
	if len(list) == 0 {
		delete(t.occupants, addr)
		return
	}
	if newest := list[len(list)-1].here; newest != nil {
		t.byAddr.Set(newest)
	}
	if len(list) == 1 && list[0].here != nil {
		list = nil // as byAddr says
	}
	t.setOccupants(addr, list)
}

// swap has a connection that is about to move to another shard keep its address, for what is
// forwarded.
func (t *Table) swap(c *Conn, to *stray) {
	t.byAddr.Remove(c)
	c.Shard.Endpoint.lodgers.add(c.Addr, -1)
	t.last = nil
	list := t.occupants[c.Addr]
	if i := slices.Index(list, occupant{here: c}); i >= 0 {
		list[i] = occupant{away: to}
	} else {
		list = append(list, occupant{away: to})
	}
	t.setOccupants(c.Addr, list)
	t.unlist(c)
	t.ahead.forget()
}

func (t *Table) setOccupants(addr udp.Flow, list []occupant) {
	if len(list) == 0 {
		delete(t.occupants, addr)
		return
	}
	if t.occupants == nil {
		t.occupants = make(map[udp.Flow][]occupant)
	}
	t.occupants[addr] = list
}

// away is where the connection has moved that has an address, nil if there is none.
func (t *Table) away(addr udp.Flow) *stray {
	if list := t.occupants[addr]; len(list) > 0 {
		return list[len(list)-1].away
	}
	return nil
}
