package machine

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
)

// account limits what the live sessions of one player do together, if there is more than one. It is
// one word that their packet paths share:
//
//	bits
//	  24  second, Unix, modulo 2^24
//	  20  debt: state changes of earlier seconds over the limit, less what later seconds left unused
//	  20  state changes in this second
//
// 0 says that nothing has been counted yet, and names no second.
type account struct {
	word  atomic.Uint64
	limit uint64 // state changes in a second; constant
}

const (
	accountBits = 20
	maxCount    = 1<<accountBits - 1 // state changes in a second, and in the debt
	secondMask  = 1<<24 - 1
)

// observe judges a datagram that one of the sessions has sent. It does not allocate and takes no
// lock.
func (a *account) observe(arrived time.Time, cost int) policy.Verdict {
	n := uint64(min(max(cost, 1), maxCount))
	for {
		old := a.word.Load()
		second, debt, count := old>>(2*accountBits), old>>accountBits&maxCount, old&maxCount
		passed := (uint64(arrived.Unix()) - second) & secondMask
		if old == 0 || passed > 0 && passed <= secondMask/2 { // else the datagram is late
			second += passed
			debt, count = min(saturatingSub(debt+count, passed*a.limit), maxCount), 0
		}
		count = min(count+n, maxCount)
		if !a.word.CompareAndSwap(old, second&secondMask<<(2*accountBits)|debt<<accountBits|count) {
			continue
		}
		switch {
		case saturatingSub(debt+count, a.limit) > maxExcess*a.limit:
			return policy.VerdictRevoke
		case count > a.limit:
			return policy.VerdictLimit
		}
		return policy.VerdictAllow
	}
}

// saturatingSub returns a - b, or 0 if b is larger.
func saturatingSub(a, b uint64) uint64 { return a - min(a, b) }

// newAccount returns an account that allows MaxPerSubject times the rate that WELCOME states, or
// the Behaviour limit of one session if that is more.
func (g *Gate) newAccount() *account {
	b := &g.config.Behaviour
	return &account{limit: uint64(min(max(b.Limit, b.Datagrams*g.config.MaxPerSubject), maxCount-1))}
}

// playerHash returns the key of a player in players. Players may share one; then issuer and subject
// are compared.
//
// +checklocks:g.mu
func (g *Gate) playerHash(issuer, subject string) uint64 {
	return binary.BigEndian.Uint64(g.memory.digest(issuer, subject))
}

// addToPlayer links s into the list of its player's sessions.
//
// +checklocks:g.mu
func (g *Gate) addToPlayer(s *Session) {
	key := g.playerHash(s.issuer, s.subject)
	s.sibling, g.players[key] = g.players[key], s
	g.updateAccount(s)
}

// removeFromPlayer unlinks s from the list of its player's sessions.
//
// +checklocks:g.mu
func (g *Gate) removeFromPlayer(s *Session) {
	key := g.playerHash(s.issuer, s.subject)
	if first := g.players[key]; first == s {
		if g.players[key] = s.sibling; s.sibling == nil {
			delete(g.players, key)
		}
	} else {
		for o := first; o != nil; o = o.sibling {
			if o.sibling == s {
				o.sibling = s.sibling
				break
			}
		}
	}
	s.sibling = nil
	s.shared.Store(nil)
	g.updateAccount(s)
}

// eachSibling calls f for each live session of the player of s.
//
// +checklocks:g.mu
func (g *Gate) eachSibling(s *Session, f func(*Session)) {
	for o := g.players[g.playerHash(s.issuer, s.subject)]; o != nil; o = o.sibling {
		if o.isOf(s.issuer, s.subject) {
			f(o)
		}
	}
}

// isOf reports whether the session is a player's.
func (s *Session) isOf(issuer, subject string) bool {
	return s.subject == subject && s.issuer == issuer
}

// updateAccount gives the sessions of the player of s a shared account if there are several, and
// none otherwise.
//
// +checklocks:g.mu
func (g *Gate) updateAccount(s *Session) {
	var shared *account
	n := 0
	g.eachSibling(s, func(o *Session) {
		n++
		if a := o.shared.Load(); a != nil {
			shared = a
		}
	})
	switch {
	case n < 2 || g.config.MaxPerSubject < 0:
		shared = nil
	case shared == nil:
		shared = g.newAccount()
	}
	g.eachSibling(s, func(o *Session) { o.shared.Store(shared) })
}

// chooseReplaced returns the session that s replaces if it is let in, nil if there is room for
// both, and CauseFullPlayer if none may be replaced.
//
// +checklocks:g.mu
func (g *Gate) chooseReplaced(now time.Time, s *Session) (*Session, Cause) {
	most := g.config.MaxPerSubject
	if most < 0 {
		return nil, CauseNone
	}
	var silent, oldest *Session
	n := 0
	g.eachSibling(s, func(o *Session) {
		n++
		switch {
		case o.Revoked(): // ends with its next datagram
			n--
		case o.bound && !s.bound: // only the holder of the certificate may replace it
		case o.replacements > 0 && g.age(now, o) < o.protection():
		case time.Duration(o.quiet.Load())*time.Millisecond >= silentTime:
			if silent == nil || o.quiet.Load() > silent.quiet.Load() {
				silent = o
			}
		case g.age(now, o) >= minAge:
			if oldest == nil || o.began <= oldest.began {
				oldest = o
			}
		}
	})
	switch {
	case n < most:
		return nil, CauseNone
	case silent != nil:
		return silent, CauseNone
	case oldest != nil && g.config.Replace:
		return oldest, CauseNone
	}
	return nil, CauseFullPlayer
}

// replace ends old, unless it is nil, in favour of s, and refuses its tickets. If old replaced
// another session recently, s is protected for twice as long as old was.
//
// +checklocks:g.mu
func (g *Gate) replace(now time.Time, old, s *Session) {
	if old == nil {
		return
	}
	s.replacements = 1
	if old.replacements > 0 && g.age(now, old) < 2*old.protection() {
		s.replacements = min(old.replacements+1, maxReplacements)
	}
	g.terminate(old, wire.ReasonReplaced, audit.DropTicket, CauseNone)
	g.remove(old)
}

// age returns for how long a session has been there when memory's clock is at now. Steps of the
// clock do not count.
func (g *Gate) age(now time.Time, s *Session) time.Duration {
	return now.Add(-time.Duration(g.steps.kept.Load())).Sub(time.Unix(int64(s.began), 0))
}

// protection returns how long a session that has replaced another one may not be replaced.
func (s *Session) protection() time.Duration { return minAge << (s.replacements - 1) }

// addTo adds the replaced session s to ev, unless it is nil.
func (s *Session) addTo(ev Event) Event {
	if s != nil {
		ev.Replaced, ev.ConnectionID = s, s.connectionID.Load()
	}
	return ev
}
