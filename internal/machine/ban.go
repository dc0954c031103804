package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// Ban ends every session of a player with its next datagram and returns how many there were. Until
// the ban expires or is lifted, the player's identity tokens, old and new, and tickets are refused,
// also by the processes that take over the sessions of this one. Of several bans of a player the
// longest holds. A ban that has already expired does nothing.
//
// At most MaxBans are kept. The error is ErrBan or ErrBansFull.
func (g *Gate) Ban(b session.Ban) (ended int, err error) {
	if b.Reason == 0 {
		b.Reason = wire.ReasonRevoked
	}
	if b.Issuer == "" || b.Subject == "" || !stopsReconnecting(b.Reason) {
		return 0, session.ErrBan
	}
	until := int64(never)
	if !b.Until.IsZero() && b.Until.Before(time.Unix(0, never)) {
		until = b.Until.UnixNano()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if until <= g.latest {
		return 0, nil
	}
	if !g.bans.add(revocationKey(session.RevokeSubject, b.Issuer, b.Subject), ban{until, b.Reason}, g.latest) {
		err = session.ErrBansFull
	}
	for _, s := range g.sessions {
		if s.issuer == b.Issuer && s.subject == b.Subject && g.terminate(s, b.Reason, audit.DropTicket) {
			ended++
		}
	}
	return ended + g.refuseAbsent(playerKey(b.Issuer, b.Subject), never, audit.DropTicket), err
}

// Lift ends a ban early and reports whether the player was banned. The player may join again with
// an identity token; the sessions that the ban has ended stay ended.
func (g *Gate) Lift(issuer, subject string) bool {
	key := revocationKey(session.RevokeSubject, issuer, subject)
	g.mu.Lock()
	defer g.mu.Unlock()
	_, banned := g.bans.lookup(key, g.latest)
	delete(g.bans.entries, key)
	return banned
}

// stopsReconnecting reports whether a client that receives the reason does not reconnect by itself.
func stopsReconnecting(r wire.Reason) bool {
	switch r {
	case wire.ReasonKicked, wire.ReasonScope, wire.ReasonFingerprint, wire.ReasonRevoked, wire.ReasonRate:
		return true
	}
	return r >= wire.ReasonGame
}

// ban is an entry of the banned players.
type ban struct {
	until  int64 // Unix ns
	reason wire.Reason
}

func (b ban) expiry() int64 { return b.until }

// merge returns the ban that lasts longer.
func (b ban) merge(old ban) ban {
	if b.until >= old.until {
		return b
	}
	return old
}

// banReason returns the reason of a player's ban, and reports whether the player is banned.
func (g *Gate) banReason(issuer, subject string) (wire.Reason, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b, banned := g.bans.lookup(revocationKey(session.RevokeSubject, issuer, subject), g.latest)
	return b.reason, banned
}
