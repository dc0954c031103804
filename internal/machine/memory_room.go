package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
)

// capacity returns the most entries that the memory may hold for this many seats: enough for the
// sessions that come and go within the life of a token at a mean stay of shortestStay, and for the
// renewals of the live ones.
func (m *memory) capacity(seats int) int {
	stays := int64((m.longestLife+token.MaxLeeway)/shortestStay) + 1
	return int(max(minRemembered, min(maxRemembered, int64(min(max(seats, 0), maxRemembered))*(stays+tokensOfSession))))
}

// used returns how much of the capacity is taken, including what the live sessions and one more may
// need for renewals: each holds at most tokensOfSession entries at once. So live sessions can
// renew.
func (m *memory) used(room, live int) int {
	return len(m.entries) + min((live+1)*tokensOfSession, room/2)
}

// fitsSession reports whether there is room for one more session.
func (m *memory) fitsSession(seats, live int) bool {
	room := m.capacity(seats)
	return m.used(room, live) <= room
}

// fitsToken reports whether there is room for another token of a live session, or for a session
// that is resumed from another server.
func (m *memory) fitsToken(seats int) bool { return len(m.entries) < m.capacity(seats) }

// mayUse returns why a token may not open or renew a session, or CauseNone: the token is known,
// there is no room, or the player has this many shares already. key is the token's.
func (m *memory) mayUse(key uint64, claims *token.Claims, room bool, shares int) Cause {
	if !claims.IssuedAt.IsZero() {
		m.noteLife(claims.Expires.Sub(claims.IssuedAt))
	}
	m.noteRest(claims.Expires)
	if _, known := m.lookup(key); known {
		return CauseUsed
	}
	switch {
	case !room:
		return CauseFullMemory
	case m.shares.count(m.ownerOf(claims.Issuer, claims.Subject)) >= shares*m.share():
		return CauseFullShare
	}
	return CauseNone
}

// use records the token that opens or renews a session, for which mayUse has just returned
// CauseNone.
func (m *memory) use(key uint64, claims *token.Claims) {
	m.put(key, claims.Expires, remembered{owner: m.ownerOf(claims.Issuer, claims.Subject), why: audit.DropUsed})
}

// share returns how many entries one player may have before new sessions of the player are refused,
// plus what collisions add to the cells on average.
func (m *memory) share() int {
	return max(minShare, int(m.longestLife/shareEvery)) + 2*len(m.entries)/shareCells
}

// shares counts each player's entries in two cells, which other players may share. A player is
// refused only if both are full. If k players fill theirs, one other player in (2^14 / k)^2 is
// refused, and the memory's secret key decides which.
type shares struct{ first, second []uint32 }

func newShares() shares { return shares{make([]uint32, shareCells), make([]uint32, shareCells)} }

func (s *shares) add(player owner, n int32) {
	if s.first == nil { // of entries that are nobody's
		return
	}
	s.first[player%shareCells] += uint32(n)
	s.second[player/shareCells%shareCells] += uint32(n)
}

func (s *shares) count(player owner) int {
	return int(min(s.first[player%shareCells], s.second[player/shareCells%shareCells]))
}

// crowded reports whether the memory is three quarters full.
func (m *memory) crowded(seats, live int) bool {
	room := m.capacity(seats)
	return int64(m.used(room, live))*4 >= int64(room)*3
}

// alarmLevel returns the level in percent that the memory has newly reached, or 0. A level is
// reported again only after the memory has fallen ten percent below it.
func (m *memory) alarmLevel(seats, live int) (level int) {
	room := m.capacity(seats)
	full := int(int64(m.used(room, live)) * 100 / int64(room))
	for _, at := range [...]int{75, 90, 100} {
		if full >= at {
			level = at
		}
	}
	if level <= m.alarmed {
		if full < m.alarmed-10 {
			m.alarmed = level
		}
		return 0
	}
	m.alarmed = level
	return level
}

// Sweep removes expired entries from the memory, as every use of it does. It returns the text of an
// alarm when the memory reaches a level: before newcomers are refused because too many identity
// tokens are recorded. Call it about once a second with a time as machines are given.
func (g *Gate) Sweep(now time.Time) (alarm string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.kept(now)
	g.latest = now.UnixNano()
	g.memory.advance(now)
	g.elsewhere.advance(now)
	if alarm := g.elsewhere.alarm(); alarm != "" {
		return alarm
	}
	return alarms[g.memory.alarmLevel(g.config.MaxSessions, len(g.sessions))]
}

var alarms = map[int]string{
	75:  "the memory of used identity tokens is three quarters full; when it is full, newcomers are refused: issue tokens with a shorter life, or raise MaxSessions",
	90:  "the memory of used identity tokens is nine tenths full; when it is full, newcomers are refused: issue tokens with a shorter life, or raise MaxSessions",
	100: "the memory of used identity tokens is full: newcomers are refused until the oldest tokens expire",
}
