package machine

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
)

// memory records the identity tokens that have opened or renewed a session, the sessions that have
// ended for good, and the tickets that are used up. Each entry stays at least until it expires.
//
// A session and the token that opened it share one entry: the session's name ends in the token's
// digest. A token that renews a session has its own entry, because it could open another session.
// The order of issue does not replace these entries: a player with two devices may use tokens in
// any order.
//
// Entries are removed slot by slot as time passes; the map is never swept as a whole. Times are
// Unix seconds by the clock that clockSteps keeps.
type memory struct {
	key         [32]byte // of the digests, so that nobody can choose a token that collides
	entries     map[uint64]remembered
	slots       map[int64][]uint64 // keys by expiry slot; an extended entry is also in its earlier slots
	nextSlot    int64              // all slots before it are empty; 0 before the first advance
	now         int64              // the time of the last advance
	longestLife time.Duration      // the longest token life seen
	shares      shares
	alarmed     int // the level of the last alarm
}

// remembered takes 20 bytes; with its key, its place in a slot and the slack of the maps, 60 to 95.
type remembered struct {
	ends     uint32 // Unix s, until the year 2106
	owner    owner
	spent    uint32     // tickets of the session up to this epoch are used up
	confined uint32     // tickets up to this epoch resume from the bound network only: a step up has lapsed
	why      audit.Drop // DropUsed, or why the tickets of the session are refused
	told     bool       // the other servers of the fleet have been told that the session was put out
}

func newMemory() memory {
	m := memory{
		entries: make(map[uint64]remembered), slots: make(map[int64][]uint64),
		longestLife: token.DefaultLife, shares: newShares(),
	}
	rand.Read(m.key[:]) //nolint:errcheck // never fails
	return m
}

// advance sets the time and removes expired entries.
func (m *memory) advance(now time.Time) {
	m.now = now.Unix()
	past := m.now / memorySlot // the current slot, which is not over
	if past-m.nextSlot > int64(len(m.slots)) {
		for slot := range m.slots {
			m.dropSlot(slot, past)
		}
	} else {
		for slot := m.nextSlot; slot < past; slot++ {
			m.dropSlot(slot, past)
		}
	}
	m.nextSlot = max(m.nextSlot, past)
}

// dropSlot removes the entries of slot if it ends before past.
func (m *memory) dropSlot(slot, past int64) {
	if slot >= past {
		return
	}
	for _, key := range m.slots[slot] {
		if e, ok := m.entries[key]; ok && slotOf(e.ends) <= slot {
			delete(m.entries, key)
			m.shares.add(e.owner, -1)
		}
	}
	delete(m.slots, slot)
}

// slotOf returns the slot that is over at ends.
func slotOf(ends uint32) int64 { return (int64(ends) - 1) / memorySlot }

// lookup returns the entry of key, and false if there is none or it has expired.
func (m *memory) lookup(key uint64) (remembered, bool) {
	e, ok := m.entries[key]
	if !ok || m.now >= int64(e.ends) {
		return remembered{}, false
	}
	return e, true
}

// sessionEntry returns the entry of a session, or a new one for a session of this player that goes
// on. An unknown player is empty; all unknown players share one owner.
func (m *memory) sessionEntry(name [16]byte, issuer, subject string) remembered {
	if e, known := m.lookup(sessionKey(name)); known {
		return e
	}
	return remembered{owner: m.ownerOf(issuer, subject), why: audit.DropUsed}
}

// lastExpiry returns when the last token issued by now expires.
func (m *memory) lastExpiry() time.Time { return time.Unix(m.now, 0).Add(m.longestLife) }

// put stores e under key until the token or ticket that expires at expires is invalid on every
// server, or until the old expiry if that is later. It does not check the capacity.
func (m *memory) put(key uint64, expires time.Time, e remembered) {
	m.noteRest(expires)
	old, known := m.entries[key]
	e.ends = max(forgetAt(expires), old.ends)
	if slot := slotOf(e.ends); !known || slot > slotOf(old.ends) {
		m.slots[slot] = append(m.slots[slot], key)
		m.nextSlot = min(m.nextSlot, slot) // the clock may have been ahead before
	}
	if known {
		e.owner = old.owner
	} else {
		m.shares.add(e.owner, 1)
	}
	m.entries[key] = e
}

// forgetAt returns when what expires at expires is invalid on every server, in Unix seconds.
func forgetAt(expires time.Time) uint32 { return ceilUnix(expires.Add(token.MaxLeeway)) }

// ceilUnix returns t in Unix seconds, rounded up.
func ceilUnix(t time.Time) uint32 {
	return uint32(max(0, min(t.Add(time.Second-1).Unix(), 1<<32-1)))
}

// noteLife updates the longest token life.
func (m *memory) noteLife(life time.Duration) {
	m.longestLife = max(m.longestLife, min(life, token.LongestLife))
}

// noteRest is noteLife for a token of which no more is known than when it expires.
func (m *memory) noteRest(expires time.Time) {
	if m.now > 0 {
		m.noteLife(time.Duration(expires.Unix()-m.now) * time.Second)
	}
}

// tokenKey returns the key of an identity token: 64 bits of a MAC. Among a million entries a token
// collides once in 2^44 times; the player then needs a fresh token.
func (m *memory) tokenKey(claims *token.Claims) uint64 {
	return binary.BigEndian.Uint64(m.digest(claims.Issuer, claims.ID))
}

// owner identifies a player by the two cells in which the player's entries are counted.
type owner uint32

func (m *memory) ownerOf(issuer, subject string) owner {
	return owner(binary.BigEndian.Uint32(m.digest(issuer, subject)[8:]))
}

func (m *memory) digest(issuer, name string) []byte {
	mac := hmac.New(sha256.New, m.key[:])
	mac.Write(binary.BigEndian.AppendUint16(nil, uint16(len(issuer))))
	mac.Write([]byte(issuer))
	mac.Write([]byte(name))
	return mac.Sum(nil)
}

// sessionKey returns the key of a session: the end of its name.
func sessionKey(name [16]byte) uint64 { return binary.BigEndian.Uint64(name[8:]) }
