package resume

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
)

// usedTickets remembers which tickets have resumed a session here, each at
// least until it expires: "A server takes a ticket once". Two generations, as
// in usedTokens. Its owner locks.
type usedTickets struct {
	young, old         map[[32]byte]struct{}
	youngSince         time.Time
	youngEnds, oldEnds time.Time // latest expiry within
}

// take marks an opened ticket: DropTicket if it is marked already, DropBusy if
// there is no room.
func (u *usedTickets) take(now time.Time, t *ticket) audit.Drop {
	return u.mark(now, t.use, time.UnixMilli(t.expires))
}

func (u *usedTickets) mark(now time.Time, use [32]byte, expires time.Time) audit.Drop {
	u.turn(now)
	_, young := u.young[use]
	_, old := u.old[use]
	switch {
	case young || old:
		return audit.DropTicket
	case len(u.young)+len(u.old) >= maxUsedTickets:
		return audit.DropBusy
	}
	u.young[use] = struct{}{}
	if ends := expires.Add(token.MaxLeeway); ends.After(u.youngEnds) {
		u.youngEnds = ends
	}
	return audit.DropNone
}

// turn starts a new generation once the older one holds only expired tickets.
func (u *usedTickets) turn(now time.Time) {
	if u.young == nil {
		u.young, u.youngSince = make(map[[32]byte]struct{}), now
	}
	if now.After(u.oldEnds) && now.Sub(u.youngSince) >= minUsedLife {
		u.old, u.oldEnds = u.young, u.youngEnds
		u.young, u.youngSince, u.youngEnds = make(map[[32]byte]struct{}), now, time.Time{}
	}
}
