package sources

import (
	"encoding/binary"
	"hash/maphash"
	"iter"
	"math/bits"
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
)

// LiveAddresses remembers the addresses at which sessions live, or have lived in the last
// LatelyLive, and lets each have a handshake of its own, whatever its neighbours do: one
// ClientHello a second, and one handshake that has not returned its cookie. Of those that have not
// proven to be there either, there may be so many in all: somebody else may have written their
// addresses. An address is that of an IPv4 host, whatever its port, or an IPv6 /64. It is safe for
// concurrent use.
//
// The addresses lie in a table of fixed size, each in one of two sets, so that those of a full
// server fit, though no two are the same. A new one goes to the set with more room, and displaces
// the one there that was noted longest ago.
type LiveAddresses struct {
	tiers  [1]tier // constant
	table  places
	crowd  crowd      // of those that have proven nothing
	noting sync.Mutex // held by the caller that gives places to addresses
}

// NewLiveAddresses returns a table for the addresses of so many sessions, at which so many handshakes
// that have proven nothing may be under way at once, 1 at least.
func NewLiveAddresses(sessions, unproven int) *LiveAddresses {
	return &LiveAddresses{
		crowd: crowd{most: int32(max(unproven, 1)), rate: bucket.PerSecond(bucket.MaxRate, bucket.MaxBurst)},
		tiers: [1]tier{{rate: bucket.PerSecond(ownPerSecond, ownPerSecond), most: ownUnproven}},
		table: newPlaces(min(max(sessions, 1), maxLive) * livePlaces / liveSessions),
	}
}

// Note records that a session lives at a now. Call it again within LiveInterval while the session
// lives.
func (l *LiveAddresses) Note(now time.Time, a netip.Addr) {
	key, seen := liveKey(a), uint32(now.Unix())
	l.noting.Lock()
	defer l.noting.Unlock()
	sets := l.sets(key)
	if sets[0].note(key, seen) || sets[1].note(key, seen) {
		return
	}
	if sets[1].left(seen) > sets[0].left(seen) {
		sets[0], sets[1] = sets[1], sets[0]
	}
	if !sets[0].enter(key, seen) {
		sets[1].enter(key, seen)
	}
}

// Claim takes what an address has of its own; proven is whether the sender has proven to be there. It
// returns nil, and nothing is taken, for an address that is not live and was not lately, for one that has
// used it up, and where too many have proven nothing.
func (l *LiveAddresses) Claim(now time.Time, a netip.Addr, proven bool) *Claim {
	var of *crowd
	if !proven {
		if of = &l.crowd; !of.enter(now) {
			return nil
		}
	}
	key := liveKey(a)
	for _, set := range l.sets(key) {
		if claim := l.claim(set, now, key); claim != nil {
			claim.shares.crowd = of
			return claim
		}
	}
	if of != nil {
		of.refund()
		of.leave()
	}
	return nil
}

// claim is Claim in one of the sets.
func (l *LiveAddresses) claim(set *set, now time.Time, key uint64) *Claim {
	set.mu.Lock()
	defer set.mu.Unlock()
	p := set.find(key)
	if p == nil || !p.lately(now) || !l.tiers[0].claim(p, now) {
		return nil
	}
	return &Claim{shares: shares{tiers: l.tiers[:], places: [maxTiers]*place{p}}}
}

// All returns the addresses that are live or were lately, an IPv6 /64 by its first address, and
// when each was noted.
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

// noted copies the addresses of a set that were noted lately.
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

// lately reports whether a session has lived at p's address in the last LatelyLive.
func (p *place) lately(now time.Time) bool {
	return now.Unix()-int64(p.seen) <= int64((LatelyLive+LiveInterval)/time.Second)
}

// note refreshes an address that has a place in the set, and reports whether it has one.
func (s *set) note(key uint64, seen uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(key)
	if p != nil {
		p.seen = max(p.seen, seen)
	}
	return p != nil
}

// left is how many places are empty, or those of addresses where no session lives any more as far
// as is known.
func (s *set) left(now uint32) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.places {
		if int64(now)-int64(s.places[i].seen) >= int64(LiveInterval/time.Second) {
			n++
		}
	}
	return n
}

// enter gives an address a place, and reports whether there was room.
func (s *set) enter(key uint64, seen uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.displace(key, func(a, b *place) bool { return a.seen < b.seen })
	if p != nil {
		p.seen = seen
	}
	return p != nil
}

// sets returns the two sets in which an address may have its place; they may be the same.
func (l *LiveAddresses) sets(key uint64) [2]*set {
	hash := maphash.Comparable(l.table.seed, key)
	return [2]*set{l.table.set(hash), l.table.set(bits.RotateLeft64(hash, 32))}
}

// ipv4Key marks the key of an IPv4 address: 8000::/16, of which nothing is assigned. unnamedKey is
// that of ::/64.
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
