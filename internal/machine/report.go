package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// What is used up here is noted under the lock, and Config.OnUsed is told once that is released. A
// session is noted as put out for a reason that says so: one that ends by its network, its silence,
// its expiry, a shutdown or a fault of its server, or for another session of its player, may go on
// elsewhere, because another server may have it already. A player who leaves uses up the tickets that
// there are, and not the session: so what a former server says late does not reach a session that has
// moved on.

// unlock releases g.mu, and reports what has been noted.
//
// +checklocksrelease:g.mu
func (g *Gate) unlock() {
	reports := g.reports
	g.reports, g.quiet = nil, false
	g.mu.Unlock()
	for _, u := range reports {
		g.config.OnUsed(u)
	}
}

// note has unlock report u, unless the gate is quiet.
//
// +checklocks:g.mu
func (g *Gate) note(u session.Used) {
	if g.config.OnUsed != nil && !g.quiet {
		g.reports = append(g.reports, u)
	}
}

// noteToken notes the token with these claims as used.
//
// +checklocks:g.mu
func (g *Gate) noteToken(issuer, id string, expires time.Time) {
	if g.config.OnUsed != nil {
		g.note(session.Used{Kind: session.UsedToken, ID: tokenID(issuer, id), Until: wholeTime(forgetAt(expires))})
	}
}

// noteTickets notes the tickets of a session up to an epoch as used, or as confined.
//
// +checklocks:g.mu
func (g *Gate) noteTickets(kind session.UsedKind, name [16]byte, epoch uint32) {
	if epoch == 0 || g.config.OnUsed == nil || !g.config.FleetKeys.Enabled() {
		return
	}
	if e, known := g.memory.lookup(sessionKey(name)); known {
		g.note(session.Used{Kind: kind, ID: name, Epoch: epoch, Until: wholeTime(e.ends)})
	}
}

// notePutOut notes once that a session was put out for reason, unless that says otherwise. The entry
// of the session says until when.
//
// +checklocks:g.mu
func (g *Gate) notePutOut(name [16]byte, reason wire.Reason) {
	if g.quiet || !saysPutOut(reason) || !g.config.FleetKeys.Enabled() {
		return
	}
	key := sessionKey(name)
	if e, known := g.memory.lookup(key); known && !e.told {
		g.note(session.Used{Kind: session.UsedSession, ID: name, Reason: reason, Until: wholeTime(e.ends)})
		e.told = true
		g.memory.entries[key] = e
	}
}

// saysPutOut reports whether a reason says that the player must not come back. After the others the
// client may come again, or the player has left.
func saysPutOut(reason wire.Reason) bool {
	return ticketsDrop(reason) != audit.DropNone && reason != wire.ReasonLeft && !isTemporary(refusalDrop(reason))
}

// Admitted reports the identity token that has opened the session. Call it once the match has let the
// player in: until then Reject may return the token.
func (c *Conn) Admitted() {
	g := c.gate
	if s := c.session; s != nil && g.config.OnUsed != nil {
		g.mu.Lock()
		defer g.unlock()
		g.noteToken(s.issuer, s.names.Load().token, s.Expires())
	}
}

// noteLeft reports that the tickets up to an epoch are used up, because the player has left.
func (g *Gate) noteLeft(name [16]byte, epoch uint32) {
	if g.config.OnUsed != nil {
		g.mu.Lock()
		defer g.unlock()
		g.noteTickets(session.UsedTicket, name, epoch)
	}
}

func wholeTime(seconds uint32) time.Time { return time.Unix(int64(seconds), 0) }

// reasonOfTickets returns the reason that stands for why a session's tickets are refused.
func reasonOfTickets(why audit.Drop) wire.Reason {
	if why == audit.DropRevoked {
		return wire.ReasonRevoked
	}
	return wire.ReasonKicked
}
