package policy

import (
	"encoding/binary"
	"hash/maphash"
	"iter"
	"net/netip"
	"time"
)

// LiveAddresses remembers the addresses at which sessions live, or have lived in the last LatelyLive, and lets each have
// a handshake of its own, whatever its neighbours do: one ClientHello a second, and one handshake that has not returned
// its cookie. An address is that of an IPv4 host, whatever its port, or an IPv6 /64. It is safe for concurrent use.
//
// The addresses lie in a table of fixed size, in which a new one displaces the one that was noted longest ago.
type LiveAddresses struct {
	tiers [1]tier // constant
	table places
}

// NewLiveAddresses returns a table for the addresses of so many sessions.
func NewLiveAddresses(sessions int) *LiveAddresses {
	return &LiveAddresses{
		tiers: [1]tier{{rate: newRate(ownPerSecond, ownPerSecond), most: ownUnproven}},
		table: newPlaces(min(max(sessions, 1), maxLive) * livePlaces / liveSessions),
	}
}

// Note remembers that a session lives at a now. It is to be called again within LiveInterval as long as that is so.
func (l *LiveAddresses) Note(now time.Time, a netip.Addr) {
	key := liveKey(a)
	set := l.set(key)
	set.mu.Lock()
	defer set.mu.Unlock()
	p := set.find(key)
	if p == nil {
		p = set.displace(key, func(a, b *place) bool { return a.seen < b.seen })
	}
	if p != nil {
		p.seen = max(p.seen, uint32(now.Unix()))
	}
}

// Claim takes what an address has of its own. It returns nil, and nothing is taken, for one that is not live and was not
// lately, and for one that has used it up.
func (l *LiveAddresses) Claim(now time.Time, a netip.Addr) *Claim {
	key := liveKey(a)
	set := l.set(key)
	set.mu.Lock()
	defer set.mu.Unlock()
	p := set.find(key)
	if p == nil || !p.lately(now) || !l.tiers[0].claim(p, now) {
		return nil
	}
	return &Claim{shares: shares{l.tiers[:], [maxTiers]*place{p}}}
}

// All returns the addresses that are live or were lately, an IPv6 /64 by its first address, and when each was noted.
func (l *LiveAddresses) All(now time.Time) iter.Seq2[netip.Addr, time.Time] {
	return func(yield func(netip.Addr, time.Time) bool) {
		for i := range l.table.sets {
			for _, e := range l.table.sets[i].noted(now) {
				if e.key != 0 && !yield(liveAddr(e.key), time.Unix(int64(e.seen), 0)) {
					return
				}
			}
		}
	}
}

// note is an address and when it was noted.
type note struct {
	key  uint64
	seen uint32
}

// noted copies what a set has noted lately.
func (s *set) noted(now time.Time) (list [ways]note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.places {
		if p := &s.places[i]; p.key != 0 && p.lately(now) {
			list[i] = note{p.key, p.seen}
		}
	}
	return list
}

// lately reports whether a session has lived there.
func (p *place) lately(now time.Time) bool {
	return now.Unix()-int64(p.seen) <= int64((LatelyLive+LiveInterval)/time.Second)
}

func (l *LiveAddresses) set(key uint64) *set {
	return l.table.set(maphash.Comparable(l.table.seed, key))
}

// ipv4Key marks the key of an IPv4 address: 8000::/16, of which nothing is assigned. unnamedKey is that of ::/64.
const (
	ipv4Key    = 1 << 63
	unnamedKey = 1
)

func liveKey(a netip.Addr) uint64 {
	a = a.Unmap()
	b := a.As16()
	if a.Is4() {
		return ipv4Key | uint64(binary.BigEndian.Uint32(b[12:]))
	}
	return max(binary.BigEndian.Uint64(b[:]), unnamedKey)
}

func liveAddr(key uint64) netip.Addr {
	if key>>32 == ipv4Key>>32 {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(key))))
	}
	if key == unnamedKey {
		key = 0
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], key)
	return netip.AddrFrom16(b)
}
