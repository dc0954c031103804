// Package addrtable is a hash table of UDP flows, each a remote address and the local address to
// which it sends.
//
// It replaces a map from Flow with a table of an eighth of the size: the table itself has eight
// bytes an entry, a hash and a number, so that for ten thousand players it stays in a processor's
// cache, where the buckets of a map do not. And it can return the entry that an address most likely
// has without reading that entry, so that the memory of many entries can be prefetched at once.
package addrtable

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
)

// Table is a set of entries, each with a flow of its own. It has one owner; nothing here locks.
//
// Slots are probed linearly from the one that the hash selects, at most half of them are taken, and
// removal leaves no tombstones. The seed is fresh in each Table, so nobody can choose addresses
// that collide.
type Table[E any] struct {
	seed    maphash.Seed
	addr    func(*E) netip.AddrPort // nil where flow is set
	flow    func(*E) *Flow
	slots   []slot // a power of two
	entries []*E   // by number; nil when free
	free    []uint32
	count   int
	read    uint32 // by Likely: kept, so that it is read
}

// slot is free if number is 0; otherwise it stands for entries[number-1].
type slot struct {
	hash, number uint32
}

// minSlots is how many slots a Table begins with.
const minSlots = 64

// New returns an empty Table for entries whose flows have no local address. addr returns the
// address of an entry, which must not change while the entry is in the Table.
func New[E any](addr func(*E) netip.AddrPort) *Table[E] {
	return &Table[E]{seed: maphash.MakeSeed(), addr: addr, slots: make([]slot, minSlots)}
}

// NewFlows returns an empty Table. flow returns the flow of an entry, which must not change while
// the entry is in the Table.
func NewFlows[E any](flow func(*E) *Flow) *Table[E] {
	return &Table[E]{seed: maphash.MakeSeed(), flow: flow, slots: make([]slot, minSlots)}
}

// of returns the flow of an entry.
func (t *Table[E]) of(e *E) Flow {
	if t.flow == nil {
		return Flow{AddrPort: t.addr(e)}
	}
	return *t.flow(e)
}

// has reports whether e's flow is flow.
func (t *Table[E]) has(e *E, flow *Flow) bool {
	if t.flow == nil {
		return t.addr(e) == flow.AddrPort
	}
	return *t.flow(e) == *flow
}

// Len returns the number of entries.
func (t *Table[E]) Len() int { return t.count }

// Get returns the entry of a flow without a local address, nil if there is none.
func (t *Table[E]) Get(addr netip.AddrPort) *E { return t.Lookup(Flow{AddrPort: addr}) }

// Lookup returns the entry of a flow, nil if there is none.
func (t *Table[E]) Lookup(flow Flow) *E {
	if i, ok := t.find(flow); ok {
		return t.entries[t.slots[i].number-1]
	}
	return nil
}

// Likely sets found[i] to the result of Lookup for the flow with hashes[i], or now and then to
// another entry or nil, without reading the memory of any entry. It waits for the slots of all
// hashes at once.
func (t *Table[E]) Likely(found []*E, hashes []uint32) {
	for _, hash := range hashes {
		t.read ^= t.slots[t.home(hash)].number
	}
	for i, hash := range hashes {
		found[i] = t.likely(hash)
	}
}

func (t *Table[E]) likely(hash uint32) *E {
	for i := t.home(hash); t.slots[i].number != 0; i = t.after(i) {
		if t.slots[i].hash == hash {
			return t.entries[t.slots[i].number-1]
		}
	}
	return nil
}

// Set puts e in the place of its flow, and returns the entry that was there.
func (t *Table[E]) Set(e *E) (old *E) {
	flow := t.of(e)
	i, ok := t.find(flow)
	if ok {
		place := &t.entries[t.slots[i].number-1]
		old, *place = *place, e
		return old
	}
	if t.count++; 2*t.count > len(t.slots) {
		t.grow()
		i, _ = t.find(flow)
	}
	t.slots[i] = slot{t.Hash(flow.AddrPort), t.keep(e)}
	return nil
}

// keep gives an entry a number.
func (t *Table[E]) keep(e *E) uint32 {
	if last := len(t.free) - 1; last >= 0 {
		number := t.free[last]
		t.free = t.free[:last]
		t.entries[number-1] = e
		return number
	}
	t.entries = append(t.entries, e)
	return uint32(len(t.entries))
}

// Remove removes e if it is in the table.
func (t *Table[E]) Remove(e *E) {
	i, ok := t.find(t.of(e))
	if !ok || t.entries[t.slots[i].number-1] != e {
		return
	}
	t.count--
	t.entries[t.slots[i].number-1] = nil
	t.free = append(t.free, t.slots[i].number)
	t.close(i)
}

// close frees slot i, and moves up the entries that were displaced past it.
func (t *Table[E]) close(i uint32) {
	for j := t.after(i); t.slots[j].number != 0; j = t.after(j) {
		mask := uint32(len(t.slots) - 1)
		if home := t.home(t.slots[j].hash); (j-home)&mask >= (j-i)&mask { // home is not between them
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = slot{}
}

// find returns the slot of a flow, or the one to insert it at.
func (t *Table[E]) find(flow Flow) (i uint32, ok bool) {
	hash := t.Hash(flow.AddrPort)
	for i = t.home(hash); t.slots[i].number != 0; i = t.after(i) {
		if t.slots[i].hash == hash && t.has(t.entries[t.slots[i].number-1], &flow) {
			return i, true
		}
	}
	return i, false
}

func (t *Table[E]) grow() {
	old := t.slots
	t.slots = make([]slot, 2*len(old))
	for _, s := range old {
		if s.number == 0 {
			continue
		}
		i := t.home(s.hash)
		for t.slots[i].number != 0 {
			i = t.after(i)
		}
		t.slots[i] = s
	}
}

func (t *Table[E]) home(hash uint32) uint32 { return hash & uint32(len(t.slots)-1) }

func (t *Table[E]) after(i uint32) uint32 { return (i + 1) & uint32(len(t.slots)-1) }

// Hash returns the hash of an address for Likely. It leaves out the zone and the local address,
// which Lookup compares.
func (t *Table[E]) Hash(addr netip.AddrPort) uint32 {
	var b [18]byte
	ip := addr.Addr().As16()
	copy(b[:], ip[:])
	binary.NativeEndian.PutUint16(b[16:], addr.Port())
	return uint32(maphash.Bytes(t.seed, b[:]))
}
