package session

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
)

// memory remembers what must not come again, and why, each at least until it is past its time anyway: identity tokens
// that have opened or renewed a session, tickets that have resumed one, sessions that are over for good. Two
// generations: the older is dropped when all in it are past, so that neither a sweep nor a timer is needed.
type memory struct {
	young, old         map[[32]byte]audit.Drop
	youngSince         time.Time
	youngEnds, oldEnds time.Time // latest expiry within
}

// take remembers key, unless it is known, which the answer says, or there is no room.
func (m *memory) take(now time.Time, key [32]byte, expires time.Time, why audit.Drop) audit.Drop {
	m.turn(now)
	if known := m.look(key); known != audit.DropNone {
		return known
	}
	if len(m.young)+len(m.old) >= maxRemembered {
		return audit.DropFull
	}
	m.keep(key, expires, why)
	return audit.DropNone
}

// look says why key must not come again.
func (m *memory) look(key [32]byte) audit.Drop {
	if why, ok := m.young[key]; ok {
		return why
	}
	return m.old[key]
}

// keep remembers key whether or not there is room: for sessions that end, of which there are no more than tokens and
// tickets have begun.
func (m *memory) keep(key [32]byte, expires time.Time, why audit.Drop) {
	if m.young == nil {
		m.young = make(map[[32]byte]audit.Drop)
	}
	m.young[key] = why
	if ends := expires.Add(token.MaxLeeway); ends.After(m.youngEnds) {
		m.youngEnds = ends
	}
}

// turn starts a new generation once the older one holds only what is past.
func (m *memory) turn(now time.Time) {
	if m.young == nil {
		m.young = make(map[[32]byte]audit.Drop)
	}
	if m.youngSince.IsZero() {
		m.youngSince = now
	}
	if now.After(m.oldEnds) && now.Sub(m.youngSince) >= minRemembered {
		m.old, m.oldEnds = m.young, m.youngEnds
		m.young, m.youngSince, m.youngEnds = make(map[[32]byte]audit.Drop), now, time.Time{}
	}
}

// tokenKey is what an identity token is remembered by.
func tokenKey(claims *token.Claims) [32]byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(claims.Issuer)))
	b = append(b, claims.Issuer...)
	return sha256.Sum256(append(b, claims.ID...))
}

// endKey is what a session is remembered by that is over: its name and zeros, which no hash is.
func endKey(name [16]byte) (key [32]byte) {
	copy(key[:], name[:])
	return key
}
