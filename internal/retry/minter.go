package retry

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"net/netip"
	"time"
)

// A token:
//
//	offset size
//	     0    4  seconds
//	     4   16  HMAC-SHA-256(key, address 16 ‖ port 2 ‖ seconds 4 ‖ random 32), its first 16 bytes
//
// An IPv4 address counts in IPv6 form, an IPv6 address without its zone.
const (
	stampLen   = 4
	messageLen = 16 + 2 + stampLen + RandomLen
)

// Minter makes tokens and checks them, and allocates nothing for it but once for each new key. It
// is not safe for concurrent use: each shard has its own.
type Minter struct {
	keys    *Keys
	macs    [2]mac // of the last two keys
	message [messageLen]byte
	sum     [sha256.Size]byte
}

// mac is HMAC under one key.
type mac struct {
	hash.Hash

	key *key
}

// NewMinter returns a Minter with keys that others may have, too.
func NewMinter(keys *Keys) *Minter { return &Minter{keys: keys} }

// Mint returns a token for the sender of a ClientHello with this random. now is of a clock that all
// shards share, and that never steps back.
func (m *Minter) Mint(now time.Time, addr netip.AddrPort, random *[RandomLen]byte) (token Token) {
	seconds := now.Unix()
	k := m.keys.at(seconds)
	if k == nil { // another shard's clock was read after now
		seconds = m.keys.pair.Load()[0].period * period
		k = m.keys.at(seconds)
	}
	binary.BigEndian.PutUint32(token[:], uint32(seconds))
	copy(token[stampLen:], m.seal(k, addr, uint32(seconds), random))
	return token
}

// Check reports whether Mint has made a token for this sender, within Life. It compares in constant
// time.
func (m *Minter) Check(now time.Time, addr netip.AddrPort, random *[RandomLen]byte, token *Token) bool {
	seconds := now.Unix()
	stamp := binary.BigEndian.Uint32(token[:])
	age := int32(uint32(seconds) - stamp)
	if age < -1 || time.Duration(age)*time.Second >= Life { // shards read the clock one after the other
		return false
	}
	k := m.keys.known(periodOf(seconds - int64(age)))
	if k == nil {
		return false
	}
	return subtle.ConstantTimeCompare(token[stampLen:], m.seal(k, addr, stamp, random)) == 1
}

// seal returns the MAC of a token, valid until the next call.
func (m *Minter) seal(k *key, addr netip.AddrPort, stamp uint32, random *[RandomLen]byte) []byte {
	b := m.message[:]
	a := addr.Addr().As16()
	copy(b, a[:])
	binary.BigEndian.PutUint16(b[16:], addr.Port())
	binary.BigEndian.PutUint32(b[18:], stamp)
	copy(b[22:], random[:])
	h := m.under(k)
	h.Reset()
	h.Write(b)
	return h.Sum(m.sum[:0])[:TokenLen-stampLen]
}

// under returns HMAC under a key.
func (m *Minter) under(k *key) hash.Hash {
	of := &m.macs[k.period&1]
	if of.key == nil || of.key.period != k.period {
		*of = mac{hmac.New(sha256.New, k.secret[:]), k}
	}
	return of.Hash
}
