package session

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
)

// generations remembers a value for each key at least until it expires. Two generations: the older is dropped when all
// in it are past, so that neither a sweep nor a timer is needed.
type generations[K comparable, V any] struct {
	young, old         map[K]V
	youngSince         time.Time
	youngEnds, oldEnds time.Time // latest expiry within
}

// look says what is known of key.
func (g *generations[K, V]) look(key K) (v V, ok bool) {
	if v, ok = g.young[key]; !ok {
		v, ok = g.old[key]
	}
	return v, ok
}

// keep remembers a value, whether or not there is room.
func (g *generations[K, V]) keep(key K, expires time.Time, v V) {
	if g.young == nil {
		g.young = make(map[K]V)
	}
	g.young[key] = v
	if ends := expires.Add(token.MaxLeeway); ends.After(g.youngEnds) {
		g.youngEnds = ends
	}
}

// full says whether there is no room any more.
func (g *generations[K, V]) full() bool { return len(g.young)+len(g.old) >= maxRemembered }

// turn starts a new generation once the older one holds only what is past.
func (g *generations[K, V]) turn(now time.Time) {
	if g.young == nil {
		g.young = make(map[K]V)
	}
	if g.youngSince.IsZero() {
		g.youngSince = now
	}
	if now.After(g.oldEnds) && now.Sub(g.youngSince) >= minRemembered {
		g.old, g.oldEnds = g.young, g.youngEnds
		g.young, g.youngSince, g.youngEnds = make(map[K]V), now, time.Time{}
	}
}

// memory remembers what must not come again, and why: identity tokens that have opened or renewed a session, sessions
// that are over for good.
type memory struct {
	generations[[32]byte, audit.Drop]
}

// take remembers key, unless it is known, which the answer says, or there is no room.
func (m *memory) take(now time.Time, key [32]byte, expires time.Time, why audit.Drop) audit.Drop {
	m.turn(now)
	if known := m.look(key); known != audit.DropNone {
		return known
	}
	if m.full() {
		return audit.DropFull
	}
	m.keep(key, expires, why)
	return audit.DropNone
}

// look says why key must not come again.
func (m *memory) look(key [32]byte) audit.Drop {
	why, _ := m.generations.look(key)
	return why
}

// spent remembers for each session the latest epoch whose ticket has resumed it: one entry, however often it does.
type spent struct {
	generations[[16]byte, uint32]
}

// use uses up the ticket of an epoch, and with it all before; DropTicket if it was.
func (s *spent) use(now time.Time, name [16]byte, epoch uint32, expires time.Time) audit.Drop {
	s.turn(now)
	if !s.good(name, epoch) {
		return audit.DropTicket
	}
	s.keep(name, expires, epoch)
	return audit.DropNone
}

// good says whether the ticket of an epoch has not been used up.
func (s *spent) good(name [16]byte, epoch uint32) bool {
	last, known := s.look(name)
	return !known || epoch > last
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
