package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/token"
)

// The kinds of entries in a snapshot's memory: docs/fleet.md 8.4.
const (
	savedUsed    = 1 // an identity token and the session that it opened
	savedEnded   = 2 // a session
	savedRevoked = 3 // a session
)

var savedWhy = map[uint8]audit.Drop{savedUsed: audit.DropUsed, savedEnded: audit.DropTicket, savedRevoked: audit.DropRevoked}

// Save writes the memory, the revocations and the bans, for the process that takes over the
// sessions.
func (g *Gate) Save(w *resume.Writer) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := w.Digests(&g.memory.key); err != nil {
		return err
	}
	codes := map[audit.Drop]uint8{}
	for code, why := range savedWhy {
		codes[why] = code
	}
	for key, e := range g.memory.entries {
		err := w.Remember(resume.Remembered{
			Key: key, Owner: uint32(e.owner), Why: codes[e.why], Spent: e.spent, Home: e.confined, Expires: int64(e.ends) * 1000,
		})
		if err != nil {
			return err
		}
	}
	for key, r := range g.revoked.entries {
		if err := w.Revoke(resume.Revoked{Key: key, At: r.at, Ends: r.ends}); err != nil {
			return err
		}
	}
	for key, b := range g.bans.entries {
		if err := w.Ban(resume.Banned{Key: key, Until: b.until, Reason: uint8(b.reason)}); err != nil {
			return err
		}
	}
	return nil
}

// Restore adds what another process has saved. Call it before anybody is admitted.
func (g *Gate) Restore(s *resume.Snapshot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.Digests != [32]byte{} {
		g.memory.key = s.Digests
	}
	for _, r := range s.Remembered {
		e := remembered{owner: owner(r.Owner), why: savedWhy[r.Why], spent: r.Spent, confined: r.Home}
		if e.why == audit.DropNone {
			e.why = audit.DropTicket // of a later version; an unknown cause refuses, too
		}
		g.memory.put(r.Key, time.UnixMilli(r.Expires).Add(-token.MaxLeeway), e)
	}
	for _, e := range s.Revoked {
		g.revoked.restore(e.Key, revocation{e.At, e.Ends})
	}
	for _, e := range s.Banned {
		g.bans.restore(e.Key, ban{e.Until, wire.Reason(e.Reason)})
	}
}
