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
// longest holds; those for the whole fleet are kept apart from this server's own. A ban that has
// already expired does nothing.
//
// At most MaxBans are kept. The error is ErrBan, ErrBansFull or ErrSaved.
func (g *Gate) Ban(b session.Ban) (ended int, err error) {
	if b.Reason == 0 {
		b.Reason = wire.ReasonRevoked
	}
	if b.Issuer == "" || b.Subject == "" || !stopsReconnecting(b.Reason) || len(b.Note) > maxNote {
		return 0, session.ErrBan
	}
	g.mu.Lock()
	defer g.unlock()
	e := ban{endOf(b.Until), g.steps.behind(), b.Reason, &banned{b.Issuer, b.Subject, b.Note, b.Everywhere}}
	if e.expiry() <= g.latest {
		return 0, nil
	}
	if g.saved && !b.Everywhere {
		err = ErrSaved
	}
	key := banKey(b.Issuer, b.Subject, b.Everywhere)
	if old, banned := g.bans.lookup(key, g.latest); banned && old.covers(&e) {
		return 0, err // and nobody has come in since
	}
	if !g.bans.add(key, e, g.latest) {
		err = session.ErrBansFull
	}
	g.quiet = b.Everywhere
	for s := g.players[g.playerHash(b.Issuer, b.Subject)]; s != nil; s = s.sibling {
		if s.isOf(b.Issuer, b.Subject) && g.terminate(s, b.Reason, audit.DropTicket, CauseBanned) {
			ended++
		}
	}
	ended += g.refuseAbsent(playerKey(b.Issuer, b.Subject), never, audit.DropTicket, b.Reason)
	return ended, err
}

// Banned reports whether b would change nothing: it has expired, or a ban of the player lasts as
// long, of those for the whole fleet or of this server's own, as b is.
func (g *Gate) Banned(b session.Ban) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	until := ban{until: endOf(b.Until), held: g.steps.behind()}.expiry()
	old, ok := g.bans.lookup(banKey(b.Issuer, b.Subject, b.Everywhere), g.latest)
	return until <= g.latest || ok && old.expiry() >= until
}

// Bans returns at most so many of the bans in force at a time as machines are given, in no order.
func (g *Gate) Bans(now time.Time, most int) (list []session.Ban) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.kept(now)
	for _, e := range g.bans.entries {
		if len(list) >= most {
			break
		}
		if e.expiry() > max(g.latest, now.UnixNano()) {
			list = append(list, e.public())
		}
	}
	return list
}

// Lift ends a player's ban early, the one for the whole fleet or this server's own, and reports
// whether there was one. If the other does not hold either, the player may join again with an identity
// token; the sessions that the ban has ended stay ended.
func (g *Gate) Lift(issuer, subject string, everywhere bool) (banned bool) {
	key := banKey(issuer, subject, everywhere)
	g.mu.Lock()
	defer g.mu.Unlock()
	_, banned = g.bans.lookup(key, g.latest)
	delete(g.bans.entries, key)
	return banned
}

// banEverywhere is the kind of the key of a ban for the whole fleet, behind those of revocations.
const banEverywhere session.RevocationKind = 7

// banKey returns the key of a player's ban: of one that every server of the fleet is told, or of this
// server's own.
func banKey(issuer, subject string, everywhere bool) [32]byte {
	kind := session.RevokeSubject
	if everywhere {
		kind = banEverywhere
	}
	return revocationKey(kind, issuer, subject)
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
	until  int64 // by the wall clock, Unix ns
	held   int64 // ns by which memory's clock was behind that when the ban was given, as far as it still is
	reason wire.Reason
	of     *banned // nil if it came with a snapshot, which has no names
}

// banned is whom a ban keeps out, and why.
type banned struct {
	issuer, subject, note string
	everywhere            bool
}

// endOf returns when a ban is over, in Unix ns.
func endOf(until time.Time) int64 {
	if until.IsZero() || !until.Before(time.Unix(0, never)) {
		return never
	}
	return until.UnixNano()
}

// public returns the ban as it was given.
func (b ban) public() session.Ban {
	p := session.Ban{Reason: b.reason}
	if b.until != never {
		p.Until = time.Unix(0, b.until)
	}
	if b.of != nil {
		p.Issuer, p.Subject, p.Note, p.Everywhere = b.of.issuer, b.of.subject, b.of.note, b.of.everywhere
	}
	return p
}

// covers reports whether a further ban of the same player would change nothing.
func (b ban) covers(other *ban) bool {
	return b.of != nil && (b.expiry() > other.expiry() || b.expiry() == other.expiry() && b.reason == other.reason && b.of.note == other.of.note)
}

// expiry returns when the ban is over by memory's clock, in Unix ns. A step of the wall clock that this
// clock has not followed when the ban is given makes the ban no longer.
func (b ban) expiry() int64 {
	if b.until == never {
		return never
	}
	return b.until - b.held
}

// followBans has the bans that were given while memory's clock was behind end when the wall clock says so, now
// that it is behind by less.
//
// +checklocks:g.mu
func (g *Gate) followBans(behind int64) {
	for key, b := range g.bans.entries {
		if b.held > behind {
			b.held = behind
			g.bans.entries[key] = b
		}
	}
}

// merge returns the ban that lasts longer, with the player's name if either has it.
func (b ban) merge(old ban) ban {
	if b.expiry() < old.expiry() {
		b, old = old, b
	}
	if b.of == nil {
		b.of = old.of
	}
	return b
}

// banReason returns the reason of the ban of a player that lasts longest, and reports whether the
// player is banned.
func (g *Gate) banReason(issuer, subject string) (wire.Reason, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b, banned := g.banOf(issuer, subject)
	return b.reason, banned
}

// banOf returns the ban of a player that lasts longest, and reports whether the player is banned.
//
// +checklocks:g.mu
func (g *Gate) banOf(issuer, subject string) (b ban, is bool) {
	if len(g.bans.entries) == 0 {
		return b, false
	}
	b, is = g.bans.lookup(banKey(issuer, subject, false), g.latest)
	if other, too := g.bans.lookup(banKey(issuer, subject, true), g.latest); too && (!is || other.expiry() > b.expiry()) {
		return other, true
	}
	return b, is
}
