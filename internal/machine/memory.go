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

// memory remembers what must not come again, each thing until a time of its own and never for less: identity tokens
// that have opened or renewed a session, sessions that are over for good, tickets that are used up.
//
// One entry stands for a session and for the token that opened it: the session's name ends in the token's digest. A
// token that renews a session has an entry of its own, since with it another session could be opened; that tokens of
// a player's are used in the order of their issue cannot be relied on, because somebody may play on two devices.
//
// An entry is forgotten with its slot of time, in a step for each entry that goes, so nothing is ever swept as a whole.
// Times are those of the wall clock, in Unix seconds.
type memory struct {
	key         [32]byte // of digests: nobody can aim at an entry of somebody else's
	entries     map[uint64]remembered
	slots       map[int64][]uint64 // keys by the slot in which they go; one that was extended stands in earlier ones, too
	nextSlot    int64              // no slot before it holds anything; 0 before the first turn
	now         int64              // what turn was told last
	longestLife time.Duration      // life of a token that has been seen
	shares      shares
	alarmed     int // level of the alarm that was raised last
}

// remembered takes 20 bytes, and with its key, its place in a slot and the room that maps leave 60 to 95.
type remembered struct {
	ends     uint32 // Unix s, good until the year 2106
	owner    owner
	spent    uint32     // tickets of the session up to this epoch are used up
	confined uint32     // and up to this one good only from the network that they are bound to, since a step up has lapsed
	why      audit.Drop // DropUsed, or why no ticket resumes the session any more
}

func newMemory() memory {
	m := memory{entries: make(map[uint64]remembered), slots: make(map[int64][]uint64), longestLife: token.DefaultLife, shares: newShares()}
	rand.Read(m.key[:]) //nolint:errcheck // it never fails
	return m
}

// turn forgets what is past.
func (m *memory) advance(now time.Time) {
	m.now = now.Unix()
	past := m.now / memorySlot // this slot is not over yet
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

// pass forgets a slot if it is over.
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

// slotOf is the slot that is over when ends has come.
func slotOf(ends uint32) int64 { return (int64(ends) - 1) / memorySlot }

// look returns what is known of key, and false if that is nothing or no longer counts.
func (m *memory) lookup(key uint64) (remembered, bool) {
	e, ok := m.entries[key]
	if !ok || m.now >= int64(e.ends) {
		return remembered{}, false
	}
	return e, true
}

// session returns what is known of a session, or what is to be known of one of this player's that goes on; the
// player may not be known, who then counts as one with all others of that kind.
func (m *memory) sessionEntry(name [16]byte, issuer, subject string) remembered {
	if e, known := m.lookup(sessionKey(name)); known {
		return e
	}
	return remembered{owner: m.ownerOf(issuer, subject), why: audit.DropUsed}
}

// last is when the last token expires that anybody may have by now.
func (m *memory) lastExpiry() time.Time { return time.Unix(m.now, 0).Add(m.longestLife) }

// keep remembers key until the token or ticket that ends at expires is over for everybody, or longer if it was known for
// longer, whether or not there is room.
func (m *memory) put(key uint64, expires time.Time, e remembered) {
	m.noteLife(expires)
	old, known := m.entries[key]
	e.ends = max(forgetAt(expires), old.ends)
	if slot := slotOf(e.ends); !known || slot > slotOf(old.ends) {
		m.slots[slot] = append(m.slots[slot], key)
		m.nextSlot = min(m.nextSlot, slot) // the clock may have been ahead, and is right again
	}
	if known {
		e.owner = old.owner
	} else {
		m.shares.add(e.owner, 1)
	}
	m.entries[key] = e
}

// endOf is when what ends at expires is over for everybody, in Unix seconds.
func forgetAt(expires time.Time) uint32 { return ceilUnix(expires.Add(token.MaxLeeway)) }

// unixUp is a time in Unix seconds, rounded up.
func ceilUnix(t time.Time) uint32 {
	return uint32(max(0, min(t.Add(time.Second-1).Unix(), 1<<32-1)))
}

// learn notes how long tokens live here.
func (m *memory) noteLife(expires time.Time) {
	if life := time.Duration(expires.Unix()-m.now) * time.Second; m.now > 0 && life > m.longestLife {
		m.longestLife = min(life, token.LongestLife)
	}
}

// token is what an identity token is remembered by: 64 bits of a MAC. Of a million entries one is taken for another once
// in 2^44 times, and then an honest player needs a fresh token.
func (m *memory) tokenKey(claims *token.Claims) uint64 {
	return binary.BigEndian.Uint64(m.digest(claims.Issuer, claims.ID))
}

// owner is a player of an issuer: two cells in which the entries of the player are counted.
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

// sessionKey is what a session is remembered by: the end of its name.
func sessionKey(name [16]byte) uint64 { return binary.BigEndian.Uint64(name[8:]) }
