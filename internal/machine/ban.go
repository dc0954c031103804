package machine

import (
	"maps"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// Ban ends every session of a player with its next datagram, says how many there
// were, and refuses the player's identity tokens, old and new, and tickets until
// the ban is over or lifted. It is remembered as long, by the processes to which
// this one hands its sessions, too. Of several bans of a player the one that
// lasts longest holds. One that is over already does nothing.
//
// Memory is bounded by MaxBans. The error is ErrBan, or ErrBansFull.
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
	err = g.bans.add(revocationKey(session.RevokeSubject, b.Issuer, b.Subject), ban{until, b.Reason}, g.latest)
	for _, s := range g.sessions {
		if s.issuer == b.Issuer && s.subject == b.Subject && g.putOut(s, b.Reason, audit.DropTicket) {
			ended++
		}
	}
	return ended + g.barAbsent(playerKey(b.Issuer, b.Subject), never, audit.DropTicket), err
}

// Lift ends a ban before its time and reports whether the player was banned. The
// player may come again with an identity token; sessions that the ban has ended
// stay ended.
func (g *Gate) Lift(issuer, subject string) bool {
	key := revocationKey(session.RevokeSubject, issuer, subject)
	g.mu.Lock()
	defer g.mu.Unlock()
	_, banned := g.bans.look(key, g.latest)
	delete(g.bans.entries, key)
	return banned
}

// turnsAway reports whether a client that is told the reason does not come again of its own accord.
func stopsReconnecting(r wire.Reason) bool {
	switch r {
	case wire.ReasonKicked, wire.ReasonScope, wire.ReasonFingerprint, wire.ReasonRevoked, wire.ReasonRate:
		return true
	}
	return r >= wire.ReasonGame
}

// bans are the players who are kept out, by revocationKey.
type bans struct {
	most    int
	entries map[[32]byte]ban
}

type ban struct {
	until  int64 // Unix ns
	reason wire.Reason
}

// add remembers a ban, unless a longer one is known or there is no room.
func (bs *bans) add(key [32]byte, b ban, now int64) error {
	if _, known := bs.entries[key]; !known && len(bs.entries) >= bs.most && !bs.prune(now) {
		return session.ErrBansFull
	}
	bs.restore(key, b)
	return nil
}

// restore remembers a ban beside what is known already, whether or not there is room.
func (bs *bans) restore(key [32]byte, b ban) {
	if bs.entries == nil {
		bs.entries = make(map[[32]byte]ban)
	}
	if b.until >= bs.entries[key].until {
		bs.entries[key] = b
	}
}

// prune forgets the bans that are over, and reports whether that makes room.
func (bs *bans) prune(now int64) bool {
	maps.DeleteFunc(bs.entries, func(_ [32]byte, b ban) bool { return b.until <= now })
	return len(bs.entries) < bs.most
}

// look reports why a player is kept out, and whether that is so.
func (bs *bans) look(key [32]byte, now int64) (wire.Reason, bool) {
	b, ok := bs.entries[key]
	return b.reason, ok && now < b.until
}

// keptOut reports why a player was refused a moment ago, and whether it was for a ban.
func (g *Gate) banReason(issuer, subject string) (wire.Reason, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bans.look(revocationKey(session.RevokeSubject, issuer, subject), g.latest)
}
