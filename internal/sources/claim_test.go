package sources

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
	"github.com/sallyport/sallyport/policy"
)

// slowSources is Sources without a table: exact, of any size, and for one caller.
type slowSources struct {
	config policy.SourceConfig
	held   map[netip.Prefix]int
	budget map[netip.Prefix]*bucket.Bucket
}

// prefixes are those that an address has budgets in, by how much more than the smallest one each has.
func (s *slowSources) prefixes(a netip.Addr) map[int]netip.Prefix {
	of := func(bits int) netip.Prefix { p, _ := a.Prefix(bits); return p }
	if a.Is4() {
		return map[int]netip.Prefix{1: of(24)}
	}
	return map[int]netip.Prefix{1: of(64), 4: of(56), 16: of(48)}
}

func (s *slowSources) claim(now time.Time, a netip.Addr) bool {
	for factor, p := range s.prefixes(a) {
		if s.budget[p] == nil {
			b := bucket.New(bucket.PerSecond(factor*s.config.PerSecond, factor*s.config.Burst), now.UnixNano())
			s.budget[p] = &b
		}
		trial := *s.budget[p]
		if s.held[p] >= factor*s.config.Unproven || !trial.Take(now.UnixNano()) {
			return false
		}
	}
	for _, p := range s.prefixes(a) {
		s.budget[p].Take(now.UnixNano())
		s.held[p]++
	}
	return true
}

func (s *slowSources) release(a netip.Addr) {
	for _, p := range s.prefixes(a) {
		s.held[p]--
	}
}

// someAddress draws from few prefixes, so that their bounds are reached.
func someAddress(r *rand.Rand) netip.Addr {
	if r.IntN(3) == 0 {
		return netip.AddrFrom4([4]byte{192, 0, byte(r.IntN(3)), byte(r.IntN(256))})
	}
	return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, byte(r.IntN(2)), byte(r.IntN(6)), byte(r.IntN(4)), 15: byte(r.IntN(256))})
}

// Sources allows what a table without bounds, locks or hashes would, whatever is claimed, given back, refunded, renewed
// and in which order.
func TestSourcesAgainstSlowTwin(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		config := policy.SourceConfig{PerSecond: 1 + r.IntN(5), Burst: 1 + r.IntN(8), Unproven: 1 + r.IntN(4)}
		fast := sourcesWith(config)
		slow := &slowSources{config, map[netip.Prefix]int{}, map[netip.Prefix]*bucket.Bucket{}}
		type holder struct {
			*Claim
			addr netip.Addr
		}
		var held []holder
		now := epoch
		for step := range 2000 {
			now = now.Add(time.Duration(r.IntN(100)) * time.Millisecond)
			if len(held) > 0 && r.IntN(3) == 0 {
				i := r.IntN(len(held))
				held[i].Release()
				held[i].Release() // "Further calls do nothing"
				slow.release(held[i].addr)
				held = append(held[:i], held[i+1:]...)
				continue
			}
			a := someAddress(r)
			got, want := fast.Claim(now, a), slow.claim(now, a)
			if (got != nil) != want {
				t.Fatalf("seed %d, step %d, %v: %v, want %v", seed, step, a, got != nil, want)
			}
			if got != nil && r.IntN(5) == 0 { // "it costs no budget either"
				got.Refund()
				got = fast.Claim(now, a)
			}
			if got != nil {
				held = append(held, holder{got, a})
			}
		}
	}
}

// Its numbers are totals: however many shards ask at once, no more is allowed, and no fewer either.
func TestSourcesAreTotals(t *testing.T) {
	const shards, each, most, burst = 8, 500, 8, 40
	for name, from := range map[string]netip.Addr{"IPv4": ip("192.0.2.1"), "IPv6": ip("2001:db8::1")} {
		for _, unproven := range []int{most - 1, most, most + 1, burst - 1, burst, burst + 1} {
			s := sourcesWith(policy.SourceConfig{Burst: burst, Unproven: unproven})
			var claims atomic.Int64
			var wg sync.WaitGroup
			for range shards {
				wg.Go(func() {
					for range each {
						if s.Claim(epoch, from) != nil {
							claims.Add(1)
						}
					}
				})
			}
			wg.Wait()
			if n, want := claims.Load(), int64(min(unproven, burst)); n != want {
				t.Errorf("%s, %d without a cookie, %d at once: %d claims, want %d", name, unproven, burst, n, want)
			}
		}
	}
}

// At no moment does a prefix hold more than it may, and in the end none holds anything, while many claim, renew and give
// back at once.
func TestClaimsAddUp(t *testing.T) {
	const unproven = 3
	s := sourcesWith(policy.SourceConfig{PerSecond: bucket.MaxRate, Burst: bucket.MaxBurst, Unproven: unproven, MaxSources: 2 * ways})
	held := make([]atomic.Int64, 3)
	var wg sync.WaitGroup
	for shard := range uint64(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(shard, 2))
			for range 5000 {
				i := r.IntN(len(held))
				c := s.Claim(epoch, nth(i))
				s.Allow(epoch, nth(100+r.IntN(100))) // which must displace nothing that is held
				if c == nil {
					continue
				}
				if n := held[i].Add(1); n > unproven {
					t.Errorf("%d of prefix %d at once", n, i)
				}
				if r.IntN(4) == 0 {
					c = c.Renew(epoch)
				}
				held[i].Add(-1)
				c.Release()
			}
		})
	}
	wg.Wait()
	s.table.each(func(p *place) {
		if n := p.held.Load(); n != 0 {
			t.Errorf("%d are still held", n)
		}
	})
}

// each calls f for every place.
func (t *places) each(f func(p *place)) {
	for i := range t.sets {
		s := &t.sets[i]
		s.mu.Lock()
		for j := range s.places {
			f(&s.places[j])
		}
		s.mu.Unlock()
	}
}

// It returns nil, and nothing has changed, when there is no budget or the claim has been given back.
func TestRenewClaim(t *testing.T) {
	s := sourcesWith(policy.SourceConfig{Burst: 2, Unproven: 1})
	from := ip("2001:db8::1")
	first := s.Claim(epoch, from)
	second := first.Renew(epoch)
	if second == nil || s.Claim(epoch, from) != nil {
		t.Fatal("the claim did not go over")
	}
	first.Release() // it has nothing any more
	if s.Claim(epoch.Add(time.Second), from) != nil {
		t.Error("two hold what one may")
	}
	if second.Renew(epoch) != nil {
		t.Error("renewed without budget")
	}
	second.Release()
	if second.Renew(epoch.Add(time.Hour)) != nil {
		t.Error("what was given back was renewed")
	}
	if s.Claim(epoch.Add(time.Hour), from) == nil {
		t.Error("it was not given back")
	}
}

// The IPv6 /56 around it may begin 4 times as much, and the /48 16 times: whoever has a /48 has 65,536 /64s.
func TestSourceTiers(t *testing.T) {
	const burst = 5
	for name, c := range map[string]struct {
		from func(i int) netip.Addr
		want int
	}{
		"one /64": {func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 15: byte(i)}) }, burst},
		"one /56": {func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 7: byte(i)}) }, 4 * burst},
		"one /48": {func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 6: byte(i)}) }, 16 * burst},
		"many":    {func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 5: byte(i)}) }, 256},
		"IPv4":    {func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, byte(i), 1}) }, 256},
	} {
		for _, config := range []policy.SourceConfig{{Burst: burst, Unproven: 1 << 20}, {Burst: 1 << 20, Unproven: burst}} {
			s, claims := sourcesWith(config), 0
			for i := range 256 {
				if s.Claim(epoch, c.from(i)) != nil {
					claims++
				}
			}
			if claims != c.want {
				t.Errorf("%s, %+v: %d, want %d", name, config, claims, c.want)
			}
		}
	}
}
