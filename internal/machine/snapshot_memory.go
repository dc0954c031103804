package machine

import (
	"errors"
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

	savedElsewhere = 3 // is added for what other servers of the fleet have told
)

var savedWhy = map[uint8]audit.Drop{savedUsed: audit.DropUsed, savedEnded: audit.DropTicket, savedRevoked: audit.DropRevoked}

// ErrSaved is returned for a ban or a revocation that comes after Save, unless the whole fleet is
// told of it: the process that takes over the sessions does not know it.
var ErrSaved = errors.New("session: too late for the next process")

// Save writes the memory, the revocations and the bans, for the process that takes over the
// sessions. At the moment from which on that process does not hear of who is put out, it calls sealed.
func (g *Gate) Save(w *resume.Writer, sealed func()) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := w.Digests(&g.memory.key); err != nil {
		return err
	}
	if err := w.Clock(g.steps.save()); err != nil {
		return err
	}
	if err := g.memory.save(w, 0); err != nil {
		return err
	}
	if err := g.elsewhere.used.save(w, savedElsewhere); err != nil {
		return err
	}
	if err := g.elsewhere.putOut.save(w, savedElsewhere); err != nil {
		return err
	}
	for key, r := range g.revoked.entries {
		if err := w.Revoke(resume.Revoked{Key: key, At: r.at, Ends: r.ends}); err != nil {
			return err
		}
	}
	for key, b := range g.bans.entries {
		if err := w.Ban(resume.Banned{Key: key, Until: b.until, Reason: uint8(b.reason), Held: b.held}); err != nil {
			return err
		}
	}
	g.saved = true
	sealed()
	return nil
}

// Restore adds what another process has saved. Call it before anybody is admitted.
func (g *Gate) Restore(s *resume.Snapshot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.Digests != [32]byte{} {
		g.memory.key = s.Digests
	}
	g.steps.restore(s.Clock)
	for _, r := range s.Remembered {
		g.restoreRemembered(&r)
	}
	for _, e := range s.Revoked {
		g.revoked.restore(e.Key, revocation{e.At, e.Ends})
	}
	for _, e := range s.Banned {
		g.bans.restore(e.Key, ban{until: e.Until, held: min(e.Held, s.Clock.Behind), reason: wire.Reason(e.Reason)})
	}
}

// Await holds sessions that are about to be restored as absent: Conn.Restore does not bring back whoever is put
// out before. One that is not restored stays absent, for its tickets are good. Until Arrived no ticket resumes them:
// it would be without what the snapshot has of the session.
func (g *Gate) Await(sessions []*resume.Session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range sessions {
		g.awaited[r.Name] = true
		g.absent.hold(r.Name, absentSession{
			id: r.ID, player: playerKey(r.Issuer, r.Subject),
			issued: r.Standing.Issued, expires: max(r.Standing.Expires, r.Ends) * int64(time.Millisecond),
		})
	}
}

// Arrived ends Await for one session, which has been restored or is not going to be.
func (g *Gate) Arrived(name [16]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.awaited, name)
}

// save writes the entries; code is added to the kind of each.
func (m *memory) save(w *resume.Writer, code uint8) error {
	for key, e := range m.entries {
		why := uint8(savedUsed)
		switch e.why {
		case audit.DropTicket:
			why = savedEnded
		case audit.DropRevoked:
			why = savedRevoked
		}
		err := w.Remember(resume.Remembered{
			Key: key, Owner: uint32(e.owner), Why: code + why, Spent: e.spent, Home: e.confined, Expires: int64(e.ends) * 1000,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// restoreRemembered adds one entry to the table that it is from.
//
// +checklocks:g.mu
func (g *Gate) restoreRemembered(r *resume.Remembered) {
	e := remembered{owner: owner(r.Owner), why: savedWhy[r.Why], spent: r.Spent, confined: r.Home}
	until := time.UnixMilli(r.Expires)
	switch r.Why {
	case savedUsed, savedEnded, savedRevoked:
	case savedElsewhere + savedUsed:
		e.owner, e.why = 0, audit.DropUsed
		g.elsewhere.used.keep(r.Key, until, e, g.elsewhere.mostUsed)
		return
	case savedElsewhere + savedEnded, savedElsewhere + savedRevoked:
		e.owner, e.why = 0, savedWhy[r.Why-savedElsewhere]
		g.elsewhere.putOut.keep(r.Key, until, e, g.elsewhere.mostOut)
		return
	default:
		e.why = audit.DropTicket // of a later version; an unknown cause refuses, too
	}
	g.memory.put(r.Key, until.Add(-token.MaxLeeway), e)
}
