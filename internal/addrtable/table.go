// Package addrtable finds what belongs to a UDP address.
//
// It does what a map from netip.AddrPort does, with an eighth of the memory in
// the way: of each entry the table itself has eight bytes, a hash and a number,
// so that the table of ten thousand players stays in a processor's cache, where
// the buckets of a map do not. And it can say which entry an address most likely
// has without looking at it, so that the memory of many entries can be fetched
// at once.
package addrtable

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
)

// Table is a set of entries, each with an address of its own. It has one owner;
// nothing here locks.
//
// Slots are probed one after the other from the one that the hash names, at most
// half of them are taken, and what is removed leaves no trace. The seed is fresh
// in each Table: nobody can choose addresses that meet in one place.
type Table[E any] struct {
	seed    maphash.Seed
	addr    func(*E) netip.AddrPort
	slots   []slot // a power of two
	entries []*E   // by number; nil when free
	free    []uint32
	count   int
	read    uint32 // by Likely: kept, so that it is read
}

// slot is free when number is 0; else entries[number-1] is meant.
type slot struct {
	hash, number uint32
}

// minSlots is how many slots a Table begins with.
const minSlots = 64

// New returns an empty Table. addr says which address an entry has; it must not
// change while the entry is in the Table.
func New[E any](addr func(*E) netip.AddrPort) *Table[E] {
	return &Table[E]{seed: maphash.MakeSeed(), addr: addr, slots: make([]slot, minSlots)}
}

// Len is the number of entries.
func (t *Table[E]) Len() int { return t.count }

// Get returns the entry of an address, nil if there is none.
func (t *Table[E]) Get(addr netip.AddrPort) *E {
	if i, ok := t.find(addr); ok {
		return t.entries[t.slots[i].number-1]
	}
	return nil
}

// Likely sets found[i] to what Get returns for the address with hashes[i], or now
// and then to another entry or nil, without looking at any entry's memory. It
// waits for the slots of all hashes at once.
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

// Set puts an entry in its address's place, and returns the one that was there.
func (t *Table[E]) Set(e *E) (old *E) {
	addr := t.addr(e)
	i, ok := t.find(addr)
	if ok {
		place := &t.entries[t.slots[i].number-1]
		old, *place = *place, e
		return old
	}
	if t.count++; 2*t.count > len(t.slots) {
		t.grow()
		i, _ = t.find(addr)
	}
	t.slots[i] = slot{t.Hash(addr), t.keep(e)}
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

// Remove takes e out, if it is in.
func (t *Table[E]) Remove(e *E) {
	i, ok := t.find(t.addr(e))
	if !ok || t.entries[t.slots[i].number-1] != e {
		return
	}
	t.count--
	t.entries[t.slots[i].number-1] = nil
	t.free = append(t.free, t.slots[i].number)
	t.close(i)
}

// close frees slot i, and moves up what was put behind it for want of a place.
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

// find returns the slot of an address, or the one to put it in.
func (t *Table[E]) find(addr netip.AddrPort) (i uint32, ok bool) {
	hash := t.Hash(addr)
	for i = t.home(hash); t.slots[i].number != 0; i = t.after(i) {
		if t.slots[i].hash == hash && t.addr(t.entries[t.slots[i].number-1]) == addr {
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

// Hash is for Likely. It leaves the zone of an address out: the comparison in Get
// decides on it.
func (t *Table[E]) Hash(addr netip.AddrPort) uint32 {
	var b [18]byte
	ip := addr.Addr().As16()
	copy(b[:], ip[:])
	binary.NativeEndian.PutUint16(b[16:], addr.Port())
	return uint32(maphash.Bytes(t.seed, b[:]))
}
