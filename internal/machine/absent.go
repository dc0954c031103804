package machine

import "github.com/sallyport/sallyport/session"

import "slices"

// absent holds the newest of the sessions that live on no connection any more and may yet be resumed, so that they can be
// revoked by id or subject. At most most are held: of more, the oldest is let go, which then can be revoked by its
// *Session, by its token or sign-in, or its player banned.
type absent struct {
	most       int
	sessions   map[[16]byte]absentSession // by name
	order      []departure                // oldest first; of a session that has left twice the last one counts, of one that is here none
	departures uint64                     // departures so far
}

// departure is when a session's connection ended, by number.
type departure struct {
	name   [16]byte
	number uint64
}

// absentSession is what a session that is not here can be revoked by.
type absentSession struct {
	departure uint64
	id        uint32
	player    [16]byte // of playerKey
	issued    int64    // of the identity token, Unix ms; 0 if it does not say
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

// pop lets the oldest go.
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

// holds reports whether a session has neither come back nor left once more since a departure.
func (a *absent) isCurrent(d departure) bool { return a.sessions[d.name].departure == d.number }

// remove lets go of a session that has been resumed or has ended.
func (a *absent) remove(name [16]byte) { delete(a.sessions, name) }

// playerKey is what a player is known by, of all issuers.
func playerKey(issuer, subject string) [16]byte {
	key := revocationKey(session.RevokeSubject, issuer, subject)
	return [16]byte(key[:16])
}
