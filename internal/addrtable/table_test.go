package addrtable

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

type entry struct {
	addr netip.AddrPort
	n    int
}

func newTable() *Table[entry] { return New(func(e *entry) netip.AddrPort { return e.addr }) }

// some is one of few addresses, so that they come again.
func some(rng *rand.Rand, n int) netip.AddrPort {
	i := rng.IntN(n)
	switch i % 3 {
	case 0:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), uint16(i))
	case 1:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xfe, 0x80, 15: byte(i)}).WithZone([]string{"eth0", "eth1"}[i%2]), 7)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 14: byte(i >> 8), 15: byte(i)}), uint16(i>>8))
}

// A Table does what a map does.
func TestAgainstMap(t *testing.T) {
	for _, n := range []int{5, 60, 3000} {
		rng := rand.New(rand.NewPCG(1, uint64(n)))
		fast, slow := newTable(), map[netip.AddrPort]*entry{}
		for i := range 40_000 {
			addr := some(rng, n)
			if rng.IntN(2) == 0 {
				e := &entry{addr, i}
				if old := fast.Set(e); old != slow[addr] {
					t.Fatalf("Set(%v) returned %v, want %v", addr, old, slow[addr])
				}
				slow[addr] = e
			} else {
				e := fast.Get(addr)
				if e == nil {
					e = &entry{addr, -1}
				}
				fast.Remove(e)
				fast.Remove(&entry{some(rng, n), i}) // never in
				delete(slow, addr)
			}
			addr = some(rng, n)
			if got := fast.Get(addr); got != slow[addr] || fast.Len() != len(slow) {
				t.Fatalf("step %d: Get(%v) = %v, want %v; %d entries, want %d", i, addr, got, slow[addr], fast.Len(), len(slow))
			}
		}
		for addr, e := range slow {
			if fast.Get(addr) != e {
				t.Errorf("%v is lost", addr)
			}
		}
		if len(fast.entries) > 2*n || len(fast.slots) > max(minSlots, 8*n) {
			t.Errorf("%d addresses take %d entries and %d slots", n, len(fast.entries), len(fast.slots))
		}
	}
}

// "now and then another or nil": Likely is right but for addresses whose hashes are the same in 32 bits.
func TestLikely(t *testing.T) {
	fast := newTable()
	found := make([]*entry, 10_000)
	var entries []*entry
	var hashes []uint32
	wrong := 0
	for i := range 10_000 {
		e := &entry{netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 7), i}
		fast.Set(e)
		entries = append(entries, e)
		hashes = append(hashes, fast.Hash(e.addr))
	}
	fast.Likely(found, hashes)
	for i, e := range entries {
		if found[i] != e {
			wrong++
		}
	}
	if wrong > 2 { // a chance of 2^-32 for each of 5·10^7 pairs
		t.Errorf("%d of 10,000 are wrong", wrong)
	}
}

func TestNoAllocs(t *testing.T) {
	fast := newTable()
	e := &entry{addr: netip.MustParseAddrPort("192.0.2.1:9")}
	fast.Set(e)
	n := testing.AllocsPerRun(100, func() {
		fast.Get(e.addr)
		fast.Likely([]*entry{nil}, []uint32{fast.Hash(e.addr)})
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGet(b *testing.B) {
	const n = 10_000
	rng := rand.New(rand.NewPCG(1, 2))
	fast, slow := newTable(), map[netip.AddrPort]*entry{}
	var order []netip.AddrPort
	for range n {
		e := &entry{addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(rng.Uint32()), byte(rng.Uint32())}), uint16(rng.Uint32()))}
		fast.Set(e)
		slow[e.addr] = e
		order = append(order, e.addr)
	}
	for name, get := range map[string]func(netip.AddrPort) *entry{
		"table": fast.Get, "map": func(a netip.AddrPort) *entry { return slow[a] },
	} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				get(order[i%n])
			}
		})
	}
}
