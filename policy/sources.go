package policy

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
)

// SourceConfig bounds the handshakes that a source prefix may begin: an IPv4 /24 or an IPv6 /64.
// The IPv6 /56 around it may begin 4 times as many, and the /48 16 times. Numbers outside 1 to
// 1,000,000,000 count as the nearest.
type SourceConfig struct {
	PerSecond  int // handshakes a second; zero means DefaultSourceRate
	Burst      int // at once; zero means DefaultSourceBurst
	Unproven   int // at once that have not returned their cookie; zero means DefaultUnproven
	MaxSources int // prefixes remembered, rounded up to a multiple of 8; zero means DefaultMaxSources
}

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

// NewSources returns the budgets of sources not seen yet.
func NewSources(c SourceConfig) *Sources {
	s := &Sources{table: newPlaces(cmp.Or(c.MaxSources, DefaultMaxSources))}
	perSecond, burst := cmp.Or(c.PerSecond, DefaultSourceRate), cmp.Or(c.Burst, DefaultSourceBurst)
	unproven := cmp.Or(c.Unproven, DefaultUnproven)
	factor := 1
	for i := range s.tiers {
		s.tiers[i] = tier{
			rate: bucket.PerSecond(factor*min(max(perSecond, 1), bucket.MaxRate), factor*min(max(burst, 1), bucket.MaxBurst)),
			most: int32(factor * min(max(unproven, 1), maxUnproven)),
		}
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
