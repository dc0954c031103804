package sources

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
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
	tiers [maxTiers]tier // constant
	table places
}

// sourceKey is a source prefix without the pointer in netip.Prefix, so that it can be hashed in
// place.
type sourceKey struct {
	address uint64 // the first 64 bits of an IPv6, the first 24 of an IPv4 address, zero behind the prefix
	bits    int
}

// New returns the budgets of sources not seen yet. policy.SourceConfig.WithDefaults has returned c.
func New(c policy.SourceConfig) *Sources {
	s := &Sources{table: newPlaces(c.MaxSources)}
	factor := 1
	for i := range s.tiers {
		perSecond, burst := min(c.PerSecond, bucket.MaxRate/factor), min(c.Burst, bucket.MaxBurst/factor)
		s.tiers[i] = tier{rate: bucket.PerSecond(factor*perSecond, factor*burst), most: int32(factor * c.Unproven)}
		factor *= tierFactor
	}
	return s
}

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
	keys, n := keysOf(from)
	held.tiers = s.tiers[:n]
	for i, k := range keys[:n] {
		if held.places[i] = s.enter(now, k, &s.tiers[i]); held.places[i] == nil {
			held.refund(i)
			held.release()
			return shares{}, false
		}
	}
	return held, true
}

// enter takes a claim for one prefix.
func (s *Sources) enter(now time.Time, k sourceKey, t *tier) *place {
	hash := max(maphash.Comparable(s.table.seed, k), 1)
	set := s.table.set(hash)
	set.mu.Lock()
	defer set.mu.Unlock()
	p := set.find(hash) // two prefixes with one hash share a budget: of 2^64
	if p == nil {
		p = set.displace(hash, func(a, b *place) bool { return a.full.Load() < b.full.Load() })
	}
	if p == nil || !t.claim(p, now) {
		return nil
	}
	return p
}

// keysOf returns the prefixes of an address that have budgets, the smallest first.
func keysOf(a netip.Addr) (keys [maxTiers]sourceKey, n int) {
	p := sourcePrefix(a).Addr()
	b := p.As16()
	if p.Is4() {
		return [maxTiers]sourceKey{{uint64(binary.BigEndian.Uint32(b[12:])), sourceBits4}}, 1
	}
	address := binary.BigEndian.Uint64(b[:])
	for i, bits := range sourceTiers6 {
		keys[i] = sourceKey{address >> (64 - bits) << (64 - bits), bits}
	}
	return keys, maxTiers
}
