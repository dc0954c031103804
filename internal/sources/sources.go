package sources

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
	"github.com/sallyport/sallyport/policy"
)

// Sources holds the handshake budget of each source prefix, and counts the handshakes of each that
// have not returned their cookie. It is safe for concurrent use, and its numbers are totals,
// whatever the number of shards.
//
// The prefixes lie in a table of fixed size. A new prefix displaces the one whose bucket is closest
// to full, which loses least, among those without a claim.
type Sources struct {
	of    *prefixes      // constant
	tiers [maxTiers]tier // constant
	table places
	crowd crowd
}

// crowd bounds the claims of all sources together.
type crowd struct {
	most int32 // constant; 0 for no bound
	rate bucket.Rate
	held atomic.Int32
	full atomic.Int64 // of the bucket, Unix ns
}

// enter adds a claim if there is room and a token.
func (c *crowd) enter(now time.Time) bool {
	if c.most == 0 {
		return true
	}
	for {
		n := c.held.Load()
		if n >= c.most {
			return false
		}
		if c.held.CompareAndSwap(n, n+1) {
			break
		}
	}
	if c.take(now) {
		return true
	}
	c.held.Add(-1)
	return false
}

// take takes a token.
func (c *crowd) take(now time.Time) bool {
	return c.most == 0 || c.rate.TakeShared(&c.full, now.UnixNano())
}

// refund returns a token.
func (c *crowd) refund() {
	if c.most != 0 {
		c.full.Add(-c.rate.Span(1))
	}
}

// leave takes a claim back.
func (c *crowd) leave() {
	if c.most != 0 {
		c.held.Add(-1)
	}
}

// crowded reports whether there is no room.
func (c *crowd) crowded() bool { return c.most != 0 && c.held.Load() >= c.most }

// sourceKey is a source prefix without the pointer in netip.Prefix, so that it can be hashed in
// place.
type sourceKey struct {
	address uint64 // the first 64 bits of an IPv6 address, zero behind the prefix, or an IPv4 prefix
	bits    int
}

// New returns the budgets of sources not seen yet. policy.SourceConfig.WithDefaults has returned c.
func New(c policy.SourceConfig) *Sources { return newSources(c, &strangers, 0) }

// NewStrangers is New for sources that have proven nothing, which hold at most so many claims all
// together, and take twice as many a second.
func NewStrangers(c policy.SourceConfig, most int) *Sources {
	return newSources(c, &strangers, int32(max(most, 1)))
}

// NewAddresses is New for sources that have proven their addresses: the budgets of c are those of
// an IPv4 host, whatever its port, and of an IPv6 /64, and 16 times as much those of its /24 or
// /48. Nobody's neighbours can use up what is a host's alone.
func NewAddresses(c policy.SourceConfig) *Sources { return newSources(c, &addresses, 0) }

func newSources(c policy.SourceConfig, of *prefixes, most int32) *Sources {
	s := &Sources{of: of, table: newPlaces(c.MaxSources), crowd: crowd{most: most}}
	if most > 0 {
		s.crowd.rate = bucket.PerSecond(2*int(most), max(2*int(most), crowdBurst))
	}
	factor := 1
	for i := range s.tiers {
		perSecond, burst := min(c.PerSecond, bucket.MaxRate/factor), min(c.Burst, bucket.MaxBurst/factor)
		s.tiers[i] = tier{rate: bucket.PerSecond(factor*perSecond, factor*burst), most: int32(factor * c.Unproven)}
		factor *= tierFactor
	}
	return s
}

// Full reports whether the sources hold as many claims all together as they may.
func (s *Sources) Full() bool { return s.crowd.crowded() }

// Allow takes one handshake from the budgets of the prefixes that contain from. A step of the wall
// clock forward allows one burst, and one back empties the budgets at most.
func (s *Sources) Allow(now time.Time, from netip.Addr) bool {
	held, ok := s.take(now, from)
	if ok {
		held.release()
	}
	return ok
}

// Claim is Allow for a handshake that counts as half-open until Release. It returns nil, and takes
// nothing, if there is no room or no token.
func (s *Sources) Claim(now time.Time, from netip.Addr) *Claim {
	held, ok := s.take(now, from)
	if !ok {
		return nil
	}
	return &Claim{shares: held}
}

// take takes from every tier, or from none.
func (s *Sources) take(now time.Time, from netip.Addr) (held shares, ok bool) {
	if !s.crowd.enter(now) {
		return shares{}, false
	}
	keys, n := s.of.keys(from)
	held.tiers, held.crowd = s.tiers[:], &s.crowd
	for i, k := range keys[:n] {
		if k == (sourceKey{}) {
			continue
		}
		if held.places[i] = s.enter(now, k, &s.tiers[i]); held.places[i] == nil {
			held.refund(i)
			s.crowd.refund()
			held.release()
			return shares{}, false
		}
	}
	return held, true
}

// enter takes a claim for one prefix. Two with one hash share a budget: of 2^64.
func (s *Sources) enter(now time.Time, k sourceKey, t *tier) *place {
	hash := max(maphash.Comparable(s.table.seed, k), 1)
	return s.table.set(hash).claim(hash, now, t)
}

// claim takes a claim of a tier for a key, which gets the place that is closest to full if it has
// none. It returns nil, and takes nothing, if there is no room or no token.
func (s *set) claim(key uint64, now time.Time, t *tier) *place {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(key)
	if p == nil {
		p = s.displace(key, func(a, b *place) bool { return a.full.Load() < b.full.Load() })
	}
	if p == nil || !t.claim(p, now) {
		return nil
	}
	return p
}

// keys returns the prefixes of an address that have budgets, the smallest first; the zero key where
// a tier has none.
func (p *prefixes) keys(a netip.Addr) (keys [maxTiers]sourceKey, n int) {
	a = a.Unmap()
	b := a.As16()
	if a.Is4() {
		for i, bits := range p.ipv4 {
			if bits > 0 {
				keys[i] = sourceKey{uint64(binary.BigEndian.Uint32(b[12:]) >> (32 - bits)), bits}
			}
		}
		return keys, len(p.ipv4)
	}
	address := binary.BigEndian.Uint64(b[:])
	for i, bits := range sourceTiers6 {
		keys[i] = sourceKey{address >> (64 - bits) << (64 - bits), bits}
	}
	return keys, maxTiers
}
