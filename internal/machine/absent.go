package machine

import (
	"slices"

	"github.com/sallyport/sallyport/session"
)

// absent holds the newest sessions that live on no connection and may still be resumed, so that
// they can be revoked by id or subject. It holds at most most and drops the oldest. A dropped
// session can still be revoked through its *Session, token or sign-in, or by a ban of its player.
type absent struct {
	most       int
	sessions   map[[16]byte]absentSession // by name
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
	issued    int64    // of the identity token, Unix ms; 0 if unknown
	expires   int64    // of the identity token, Unix ns
}

// add holds a session whose connection has ended.
func (a *absent) add(s *Session) {
	if a.most <= 0 {
		return
	}
	if a.sessions == nil {
		a.sessions = make(map[[16]byte]absentSession)
	}
	a.departures++
	e := absentSession{departure: a.departures, id: s.id, player: playerKey(s.issuer, s.subject), expires: s.expires.Load()}
	if n := s.names.Load(); n != nil {
		e.issued = n.issued
	}
	a.sessions[s.name] = e
	a.order = append(a.order, departure{s.name, a.departures})
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
			delete(a.sessions, oldest.name)
			return
		}
	}
}

// isCurrent reports whether the session has neither returned nor left again since d.
func (a *absent) isCurrent(d departure) bool { return a.sessions[d.name].departure == d.number }

// remove removes a session that has been resumed or has ended.
func (a *absent) remove(name [16]byte) { delete(a.sessions, name) }

// playerKey returns the digest of a player's issuer and subject.
func playerKey(issuer, subject string) [16]byte {
	key := revocationKey(session.RevokeSubject, issuer, subject)
	return [16]byte(key[:16])
}
