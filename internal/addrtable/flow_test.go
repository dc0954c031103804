package addrtable

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"unique"
)

// Flows from one address to several of ours are several entries: a Table does what a map
// does.
func TestFlowsAgainstMap(t *testing.T) {
	ours := [...]unique.Handle[Local]{
		{}, LocalOf(netip.MustParseAddr("192.0.2.1")), LocalOf(netip.MustParseAddr("192.0.2.2")), LocalOf(netip.MustParseAddr("2001:db8::1")),
	}
	type entry struct{ flow Flow }
	rng := rand.New(rand.NewPCG(1, 2))
	fast, slow := NewFlows(func(e *entry) *Flow { return &e.flow }), map[Flow]*entry{}
	for range 20_000 {
		f := Flow{some(rng, 30), ours[rng.IntN(len(ours))]}
		switch e := fast.Lookup(f); {
		case e != slow[f]:
			t.Fatalf("Lookup(%v) = %v, want %v", f, e, slow[f])
		case rng.IntN(2) == 0:
			e = &entry{f}
			if old := fast.Set(e); old != slow[f] {
				t.Fatalf("Set(%v) returned %v, want %v", f, old, slow[f])
			}
			slow[f] = e
		case e != nil:
			fast.Remove(e)
			delete(slow, f)
		}
		if fast.Len() != len(slow) {
			t.Fatalf("%d entries, want %d", fast.Len(), len(slow))
		}
	}
}

// A Local is what it was made of, and equal to another one of the same address.
func TestLocalOf(t *testing.T) {
	for _, s := range []string{"192.0.2.1", "2001:db8::1", "127.0.0.5", "::1"} {
		a := netip.MustParseAddr(s)
		f := Flow{Local: LocalOf(a)}
		if f.LocalAddr() != a || f.Local != LocalOf(a) {
			t.Errorf("%v became %v", a, f.LocalAddr())
		}
	}
	for _, a := range []netip.Addr{{}, netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if f := (Flow{Local: LocalOf(a)}); f.Local != (unique.Handle[Local]{}) || f.LocalAddr().IsValid() {
			t.Errorf("%v became %v", a, f.LocalAddr())
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	const n = 10_000
	type entry struct{ flow Flow }
	rng := rand.New(rand.NewPCG(1, 2))
	fast := NewFlows(func(e *entry) *Flow { return &e.flow })
	var order []Flow
	for range n {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(rng.Uint32()), byte(rng.Uint32())}), uint16(rng.Uint32()))
		e := &entry{Flow{AddrPort: addr}}
		fast.Set(e)
		order = append(order, e.flow)
	}
	for i := 0; b.Loop(); i++ {
		fast.Lookup(order[i%n])
	}
}
