package sources

import (
	"hash/maphash"
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
)

// Sessions lets each session whose player has shown its ticket have handshakes of its own, however
// many players share an address: sessionPerSecond a second, sessionBurst at once, and
// sessionUnproven that have not returned their cookie. A session keeps its name from ticket to
// ticket, so a ticket that somebody has copied, or a player with a modified client, gains no more.
// It is safe for concurrent use.
//
// The sessions lie in a table of fixed size, in which a new one displaces the one whose bucket is
// closest to full.
type Sessions struct {
	tiers [1]tier // constant
	table places
}

// NewSessions returns a table for so many sessions.
func NewSessions(sessions int) *Sessions {
	return &Sessions{
		tiers: [1]tier{{rate: bucket.PerSecond(sessionPerSecond, sessionBurst), most: sessionUnproven}},
		table: newPlaces(min(max(sessions, 1), maxLive)),
	}
}

// Claim takes what a session has of its own. It returns nil, and takes nothing, if that is used up.
func (s *Sessions) Claim(now time.Time, name [16]byte) *Claim {
	hash := max(maphash.Comparable(s.table.seed, name), 1)
	p := s.table.set(hash).claim(hash, now, &s.tiers[0])
	if p == nil {
		return nil
	}
	return &Claim{shares: shares{tiers: s.tiers[:], places: [maxTiers]*place{p}}}
}
