package session

import (
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/wire"
)

// What a snapshot's memory is about, PROTOCOL.md 8.4.
const (
	savedToken   = 1 // used
	savedLeft    = 2 // session that its player has ended
	savedPutOut  = 3 // session that the match has ended
	savedRevoked = 4 // session that was revoked
	savedSpent   = 5 // tickets of a session, up to an epoch
	savedLapsed  = 6 // step up of a session, whose tickets are good at home only, up to an epoch
)

var savedWhy = map[uint8]audit.Drop{
	savedToken: audit.DropUsed, savedLeft: audit.DropTicket, savedPutOut: audit.DropTicket, savedRevoked: audit.DropRevoked,
}

// Save writes what must not come again, and what has been revoked, for the process that goes on with the sessions.
func (g *Gate) Save(w *resume.Writer) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, about := range []struct {
		memory              *memory
		used, left, revoked uint8
	}{{&g.memory, savedToken, savedLeft, savedRevoked}, {&g.banned, savedToken, savedPutOut, savedRevoked}} {
		codes := map[audit.Drop]uint8{audit.DropUsed: about.used, audit.DropTicket: about.left, audit.DropRevoked: about.revoked}
		err := about.memory.save(func(key [32]byte, ends time.Time, why audit.Drop) error {
			return w.Remember(resume.Remembered{Key: key, Why: codes[why], Expires: ends.UnixMilli()})
		})
		if err != nil {
			return err
		}
	}
	for why, of := range map[uint8]*spent{savedSpent: &g.spent, savedLapsed: &g.confined} {
		err := of.save(func(name [16]byte, ends time.Time, epoch uint32) error {
			return w.Remember(resume.Remembered{Key: spentKey(name, epoch), Why: why, Expires: ends.UnixMilli()})
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

// save calls f for all that is remembered, with the end of its generation.
func (g *generations[K, V]) save(f func(key K, ends time.Time, v V) error) error {
	for _, of := range []struct {
		values map[K]V
		ends   time.Time
	}{{g.old, g.oldEnds}, {g.young, g.youngEnds}} {
		for key, v := range of.values {
			if err := f(key, of.ends, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// restore remembers what spentKey has made a key of.
func (s *spent) restore(key [32]byte, ends time.Time) {
	name, epoch := [16]byte(key[:]), binary.BigEndian.Uint32(key[28:])
	if s.good(name, epoch) {
		s.keep(name, ends, epoch)
	}
}

// spentKey is a session's name, 12 zeros and an epoch.
func spentKey(name [16]byte, epoch uint32) (key [32]byte) {
	key = endKey(name)
	binary.BigEndian.PutUint32(key[28:], epoch)
	return key
}

// Restore takes over what another process has saved.
func (g *Gate) Restore(s *resume.Snapshot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range s.Remembered {
		ends := time.UnixMilli(e.Expires)
		switch e.Why {
		case savedSpent:
			g.spent.restore(e.Key, ends)
		case savedLapsed:
			g.confined.restore(e.Key, ends)
		case savedPutOut, savedRevoked:
			g.banned.keep(e.Key, ends, savedWhy[e.Why])
		case savedToken, savedLeft:
			g.memory.keep(e.Key, ends, savedWhy[e.Why])
		}
	}
	for _, e := range s.Revoked {
		g.revoked.restore(e.Key, revocation{e.At, e.Ends})
	}
	for _, e := range s.Banned {
		g.bans.restore(e.Key, ban{e.Until, wire.Reason(e.Reason)})
	}
}
