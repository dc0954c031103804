package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
)

// room is how many entries a memory may have for so many seats: as many sessions as can come and go within the life of a
// token if nobody stays for less than shortestStay, and what those who are here need for renewals.
func (m *memory) capacity(seats int) int {
	stays := int64((m.longestLife+token.MaxLeeway)/shortestStay) + 1
	return int(max(minRemembered, min(maxRemembered, int64(min(max(seats, 0), maxRemembered))*(stays+tokensOfSession))))
}

// used is how much of the room is taken, with what those who are here, and one more, may need for renewals: each leaves at
// most tokensOfSession entries behind while one of them counts. So who is here can renew whatever comes.
func (m *memory) used(room, live int) int {
	return len(m.entries) + min((live+1)*tokensOfSession, room/2)
}

// admits reports whether there is room for one more session.
func (m *memory) fitsSession(seats, live int) bool {
	room := m.capacity(seats)
	return m.used(room, live) <= room
}

// renews reports whether there is room for another token of a session that is here, or for one from elsewhere.
func (m *memory) fitsToken(seats int) bool { return len(m.entries) < m.capacity(seats) }

// take remembers the token with which a session is to be opened or renewed, unless it is known, which the answer says, or
// there is no room for it, or for its owner, who may have so many shares. key is the token's.
func (m *memory) use(key uint64, claims *token.Claims, room bool, shares int) audit.Drop {
	m.noteLife(claims.Expires)
	if _, known := m.lookup(key); known {
		return audit.DropUsed
	}
	who := m.ownerOf(claims.Issuer, claims.Subject)
	if !room || m.shares.count(who) >= shares*m.share() {
		return audit.DropFull
	}
	m.put(key, claims.Expires, remembered{owner: who, why: audit.DropUsed})
	return audit.DropNone
}

// share is how many entries one player may have before no new session of theirs is let in, beside what chance adds to
// the cells.
func (m *memory) share() int {
	return max(minShare, int(m.longestLife/shareEvery)) + 2*len(m.entries)/shareCells
}

// shares count each player's entries, in two cells that others may share: a player is refused only if both are full.
// Where k players fill theirs, that is one other in (2^14 / k)^2, and a key decides which.
type shares struct{ first, second []uint32 }

func newShares() shares { return shares{make([]uint32, shareCells), make([]uint32, shareCells)} }

func (s *shares) add(who owner, n int32) {
	s.first[who%shareCells] += uint32(n)
	s.second[who/shareCells%shareCells] += uint32(n)
}

func (s *shares) count(who owner) int {
	return int(min(s.first[who%shareCells], s.second[who/shareCells%shareCells]))
}

// alarm returns how full the memory is, in hundredths, when it has reached a level at which that is to be told: once,
// until it has been ten hundredths below.
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

// Sweep forgets what is past, as every use of the memory does. It returns what is to be told as an alarm, once for each
// level: before newcomers are refused because too many identity tokens have to be remembered. Call it about once a
// second, with the wall clock's time.
func (g *Gate) Sweep(now time.Time) (alarm string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.memory.advance(now)
	return alarms[g.memory.alarmLevel(g.config.MaxSessions, len(g.sessions))]
}

var alarms = map[int]string{
	75:  "the memory of used identity tokens is three quarters full: when it is full newcomers are refused; let tokens live shorter, or allow more sessions",
	90:  "the memory of used identity tokens is nine tenths full: when it is full newcomers are refused; let tokens live shorter, or allow more sessions",
	100: "the memory of used identity tokens is full: newcomers are refused until the oldest tokens have expired",
}
