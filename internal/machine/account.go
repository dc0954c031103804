package machine

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
)

// account is what the live sessions of one player have in common, if there is more than one: how much they do together.
// It is one word that their packet paths share:
//
//	bits
//	  24  second, Unix, modulo 2^24
//	  20  debt: state changes of seconds before beyond the limit, less what later ones left unused
//	  20  state changes in this second
type account struct {
	word  atomic.Uint64
	limit uint64 // state changes in a second; constant
}

const (
	accountBits = 20
	maxCount    = 1<<accountBits - 1 // state changes in a second, and of debt
	secondMask  = 1<<24 - 1
)

// observe judges a datagram that one of the sessions has sent. It does not allocate and takes no lock.
func (a *account) observe(arrived time.Time, cost int) policy.Verdict {
	n := uint64(min(max(cost, 1), maxCount))
	for {
		old := a.word.Load()
		second, debt, count := old>>(2*accountBits), old>>accountBits&maxCount, old&maxCount
		if passed := (uint64(arrived.Unix()) - second) & secondMask; passed > 0 && passed <= secondMask/2 { // else it is late
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

// less is a - b, or 0.
func saturatingSub(a, b uint64) uint64 { return a - min(a, b) }

// newAccount returns the account of a player whose sessions may together send what as many as there may be could send at
// the rate that WELCOME states, or what one session may.
func (g *Gate) newAccount() *account {
	b := &g.config.Behaviour
	return &account{limit: uint64(min(max(b.Limit, b.Datagrams*g.config.MaxPerSubject), maxCount-1))}
}

// playerOf is where a player's sessions are found in players. Where two players share it, subjects decide.
//
// +checklocks:g.mu
func (g *Gate) playerHash(s *Session) uint64 {
	return binary.BigEndian.Uint64(g.memory.digest(s.issuer, s.subject))
}

// join puts s among the sessions of its player.
//
// +checklocks:g.mu
func (g *Gate) addToPlayer(s *Session) {
	key := g.playerHash(s)
	s.sibling, g.players[key] = g.players[key], s
	g.updateAccount(s)
}

// part takes it out.
//
// +checklocks:g.mu
func (g *Gate) removeFromPlayer(s *Session) {
	key := g.playerHash(s)
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

// siblings calls f for each live session of the player of s.
//
// +checklocks:g.mu
func (g *Gate) eachSibling(s *Session, f func(*Session)) {
	for o := g.players[g.playerHash(s)]; o != nil; o = o.sibling {
		if o.subject == s.subject && o.issuer == s.issuer {
			f(o)
		}
	}
}

// share gives the sessions of the player of s an account if there are several, and takes it from the only one.
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

// yielding returns the session that has to give way if s is let in, nil if none has to, or DropFull if none may.
//
// +checklocks:g.mu
func (g *Gate) yielding(now time.Time, s *Session) (*Session, audit.Drop) {
	most := g.config.MaxPerSubject
	if most < 0 {
		return nil, audit.DropNone
	}
	var silent, oldest *Session
	n := 0
	g.eachSibling(s, func(o *Session) {
		n++
		switch {
		case o.Revoked(): // it is over, and its player will be told
			n--
		case o.bound && !s.bound: // nobody takes a session from who holds its key
		case o.holds > 0 && now.Sub(time.Unix(int64(o.began), 0)) < o.hold():
		case time.Duration(o.quiet.Load())*time.Millisecond >= silentTime:
			if silent == nil || o.quiet.Load() > silent.quiet.Load() {
				silent = o
			}
		case now.Unix() >= int64(o.began)+int64(youth/time.Second):
			if oldest == nil || o.began <= oldest.began {
				oldest = o
			}
		}
	})
	switch {
	case n < most:
		return nil, audit.DropNone
	case silent != nil:
		return silent, audit.DropNone
	case oldest != nil && g.config.Replace:
		return oldest, audit.DropNone
	}
	return nil, audit.DropFull
}

// yield has old, if it is not nil, give way to s: it is live no more, and its tickets are refused. Where it had taken
// another's place lately, s stays twice as long as it has.
//
// +checklocks:g.mu
func (g *Gate) yield(now time.Time, old, s *Session) {
	if old == nil {
		return
	}
	s.holds = 1
	if old.holds > 0 && now.Sub(time.Unix(int64(old.began), 0)) < 2*old.hold() {
		s.holds = min(old.holds+1, maxHolds)
	}
	g.putOut(old, wire.ReasonReplaced, audit.DropTicket)
	g.displace(old)
}

// hold is how long a session that has taken another's place does not give way.
func (s *Session) hold() time.Duration { return youth << (s.holds - 1) }

// yields adds to an event that s has given way, if it is not nil.
func (s *Session) yields(ev Event) Event {
	if s != nil {
		ev.Replaced, ev.Hint = s, s.hint.Load()
	}
	return ev
}
