package policy

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"time"
)

// SourceConfig says what a source prefix may begin. Numbers outside a bucket's bounds count as the nearest.
type SourceConfig struct {
	PerSecond  int // handshakes a second; zero means DefaultSourceRate
	Burst      int // at once; zero means DefaultSourceBurst
	MaxSources int // prefixes remembered, rounded up to a multiple of 8; zero means DefaultMaxSources
}

// Sources is the handshake budget of each source prefix: a bucket per IPv4 /24 and IPv6 /64. It has one owner.
//
// The buckets lie in a table of fixed size. A hash with a seed of its own gives a prefix eight places; a new prefix
// takes the place whose bucket is closest to full, which is the one that loses least. So the memory and the longest
// time for an answer do not depend on who sends, and a stranger cannot choose whom to displace.
type Sources struct {
	rate  // set by NewSources, constant afterwards
	seed  maphash.Seed
	table [][ways]source
}

// source is a bucket. An empty place is a full one.
type source struct {
	key  sourceKey
	full int64 // Unix ns
}

// sourceKey is a source prefix without the pointer in netip.Prefix, so that it can be hashed in place.
type sourceKey struct {
	bits uint64 // the first 64 of an IPv6, the first 24 of an IPv4 address
	four bool
}

// NewSources returns the budgets of sources not seen yet.
func NewSources(c SourceConfig) *Sources {
	n := max(orDefault(c.MaxSources, DefaultMaxSources), 1)
	return &Sources{
		rate:  newRate(orDefault(c.PerSecond, DefaultSourceRate), orDefault(c.Burst, DefaultSourceBurst)),
		seed:  maphash.MakeSeed(),
		table: make([][ways]source, (n+ways-1)/ways),
	}
}

// Allow takes one handshake from the budget of the prefix that from lies in. Clock steps do what they do to a Bucket.
func (s *Sources) Allow(now time.Time, from netip.Addr) bool {
	return s.take(&s.find(keyOf(from)).full, now.UnixNano())
}

// find returns the bucket for k, a full one if k has none.
func (s *Sources) find(k sourceKey) *source {
	places := &s.table[maphash.Comparable(s.seed, k)%uint64(len(s.table))]
	oldest := &places[0]
	for i := range places {
		p := &places[i]
		if p.key == k {
			return p
		}
		if p.full < oldest.full {
			oldest = p
		}
	}
	*oldest = source{key: k}
	return oldest
}

func keyOf(a netip.Addr) sourceKey {
	p := SourcePrefix(a).Addr()
	b := p.As16()
	if p.Is4() {
		return sourceKey{bits: uint64(binary.BigEndian.Uint32(b[12:])), four: true}
	}
	return sourceKey{bits: binary.BigEndian.Uint64(b[:])}
}
