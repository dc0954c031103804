package machine

import (
	"slices"

	"github.com/sallyport/sallyport/session"
)

// absent holds the newest sessions that live on no connection and may still be resumed, so that
// they can be revoked by id or subject. It holds at most most and drops the oldest. A dropped
// session can still be revoked through its *Session, name, token or sign-in, or by a ban of its player.
type absent struct {
	most       int
	sessions   map[[16]byte]absentSession // by name
	players    map[[16]byte][16]byte      // the name of a player's first session, linked by next
	order      []departure                // oldest first; only the last departure of an absent session is current
	departures uint64                     // so far
}

// departure is the end of a session's connection, by number.
type departure struct {
	name   [16]byte
	number uint64
}

// absentSession is what an absent session can be revoked by.
type absentSession struct {
	departure uint64
	id        uint32
	player    [16]byte // see playerKey
	next      [16]byte // the name of the player's next absent session; zero for none
	issued    int64    // of the identity token, Unix ms; 0 if unknown
	expires   int64    // Unix ns, of the identity token; of a session that is to be restored, if it lasts longer
}

// add holds a session whose connection has ended.
func (a *absent) add(s *Session) {
	e := absentSession{id: s.id, player: playerKey(s.issuer, s.subject), expires: s.expires()}
	if n := s.names.Load(); n != nil {
		e.issued = n.issued
	}
	a.hold(s.name, e)
}

// hold holds a session.
func (a *absent) hold(name [16]byte, e absentSession) {
	if a.most <= 0 {
		return
	}
	if a.sessions == nil {
		a.sessions, a.players = make(map[[16]byte]absentSession), make(map[[16]byte][16]byte)
	}
	a.remove(name)
	a.departures++
	e.departure, e.next = a.departures, a.players[e.player]
	a.sessions[name], a.players[e.player] = e, name
	a.order = append(a.order, departure{name, a.departures})
	if len(a.sessions) > a.most {
		a.dropOldest()
	}
	if len(a.order) > 2*a.most {
		a.order = slices.DeleteFunc(a.order, func(d departure) bool { return !a.isCurrent(d) })
	}
}

// dropOldest removes the session that has been absent longest.
func (a *absent) dropOldest() {
	for len(a.order) > 0 {
		oldest := a.order[0]
		a.order = a.order[1:]
		if a.isCurrent(oldest) {
			a.remove(oldest.name)
			return
		}
	}
}

// isCurrent reports whether the session has neither returned nor left again since d.
func (a *absent) isCurrent(d departure) bool { return a.sessions[d.name].departure == d.number }

// remove removes a session that has been resumed or has ended.
func (a *absent) remove(name [16]byte) {
	e, ok := a.sessions[name]
	if !ok {
		return
	}
	delete(a.sessions, name)
	none := [16]byte{}
	first := a.players[e.player]
	switch {
	case first != name:
		for at := first; at != none; at = a.sessions[at].next {
			if before := a.sessions[at]; before.next == name {
				before.next = e.next
				a.sessions[at] = before
				return
			}
		}
	case e.next == none:
		delete(a.players, e.player)
	default:
		a.players[e.player] = e.next
	}
}

// of returns the names of a player's absent sessions whose token was issued by until (Unix ms).
func (a *absent) of(player [16]byte, until int64) (list [][16]byte) {
	for at, ok := a.players[player]; ok && at != [16]byte{}; at = a.sessions[at].next {
		if a.sessions[at].issued <= until {
			list = append(list, at)
		}
	}
	return list
}

// playerKey returns the digest of a player's issuer and subject.
func playerKey(issuer, subject string) [16]byte {
	key := revocationKey(session.RevokeSubject, issuer, subject)
	return [16]byte(key[:16])
}
