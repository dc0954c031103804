package token

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
)

// A cache keeps verified tokens. A hash of the token finds an entry, and the whole token is
// compared. Readers take no lock. A full set evicts the entry that expires first. Of two concurrent
// writers one may overwrite the entry of the other, which costs a verification later and nothing
// else.
//
// Strangers cannot choose entries, because issuers sign them; a seed, fresh in each process, keeps
// an issuer's customers from learning which tokens share a set.
type cache struct {
	seed uint64
	sets [cacheSets][cacheWays]atomic.Pointer[verified]
}

func newCache() *cache {
	var seed [8]byte
	rand.Read(seed[:]) // never fails
	return &cache{seed: binary.BigEndian.Uint64(seed[:])}
}

func (c *cache) hash(raw []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(c.seed)
	d.Write(raw)
	return d.Sum64()
}

// find returns the entry of exactly this token, or nil.
func (c *cache) find(hash uint64, raw []byte) *verified {
	set := &c.sets[hash%cacheSets]
	for i := range set {
		t := set[i].Load()
		if t != nil && t.hash == hash && equal(t.raw, raw) {
			return t
		}
	}
	return nil
}

// equal compares in a time that depends on the lengths alone, as crypto/subtle does, but eight
// bytes at a time: for a token of 1 KB, comparing byte by byte would take most of the time of a
// cache hit.
func equal(a, b []byte) bool {
	var diff uint64
	for len(a) >= 8 && len(b) >= 8 {
		diff |= binary.LittleEndian.Uint64(a) ^ binary.LittleEndian.Uint64(b)
		a, b = a[8:], b[8:]
	}
	// The remaining bytes also decide if the lengths differ.
	return subtle.ConstantTimeCompare(a, b)&subtle.ConstantTimeEq(int32(diff|diff>>32), 0) == 1
}

// add keeps raw, whose signature has just been verified.
func (c *cache) add(hash uint64, raw []byte, t verified) {
	t.hash, t.raw = hash, slices.Clone(raw)
	set := &c.sets[hash%cacheSets]
	place := &set[0]
	for i := range set {
		old := set[i].Load()
		if old != nil && old.hash == hash {
			place = &set[i]
			break
		}
		if old.ends().Before(place.Load().ends()) {
			place = &set[i]
		}
	}
	place.Store(&t)
}

// ends returns when t may be evicted; a place without a token comes first.
func (t *verified) ends() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.claims.Expires
}
