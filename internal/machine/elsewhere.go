package machine

import (
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// elsewhere is what other servers of the fleet have used up, of tokens and sessions that this server
// does not know. It takes no room of the memory, so that a busy fleet keeps no newcomer out of a small
// server. When a table is full it forgets what expires next: then a token or ticket of a player's that
// a thief has copied counts once more here, and no honest player is refused.
type elsewhere struct {
	used    memory // tokens, and tickets of sessions; at most mostUsed
	putOut  memory // sessions that were put out; at most mostOut
	dropped bool   // putOut has forgotten one before its time
	alarmed bool   // and an alarm has said so

	mostUsed, mostOut int // constant
}

func newElsewhere() elsewhere {
	table := func() memory { return memory{entries: make(map[uint64]remembered), slots: make(map[int64][]uint64)} }
	return elsewhere{used: table(), putOut: table(), mostUsed: maxUsedElsewhere, mostOut: maxPutOutElsewhere}
}

// alarm returns the text of an alarm once sessions that were put out are forgotten before their time,
// and not again until the table is half empty.
func (e *elsewhere) alarm() string {
	if e.alarmed = e.alarmed && len(e.putOut.entries) > e.mostOut/2; e.alarmed || !e.dropped {
		e.dropped = false
		return ""
	}
	e.alarmed, e.dropped = true, false
	return "other servers of the fleet have put out more sessions than this one remembers: their tickets may be taken here; ban players who must not come back"
}

// advance sets the time and removes expired entries.
func (e *elsewhere) advance(now time.Time) {
	e.used.advance(now)
	e.putOut.advance(now)
}

// useBatch is how many entries of a feed are taken under one lock: some tens of microseconds.
const useBatch = 64

// Use refuses from now on what was used on other servers of the fleet, and ends the sessions that
// were put out there, and what is left here of sessions that were resumed there. It returns how many
// live sessions it has ended. now is a time as machines are given.
func (g *Gate) Use(now time.Time, used ...session.Used) (ended int) {
	now = g.kept(now)
	for len(used) > 0 {
		n := min(len(used), useBatch)
		ended += g.useSome(now, used[:n])
		used = used[n:]
	}
	return ended
}

func (g *Gate) useSome(now time.Time, used []session.Used) (ended int) {
	g.mu.Lock()
	defer g.unlock()
	g.memory.advance(now)
	g.elsewhere.advance(now)
	life := g.memory.longestLife // of the tokens that are shown here
	for i := range used {
		if g.use(now, &used[i]) {
			ended++
		}
	}
	g.memory.longestLife = life
	return ended
}

// use takes one entry, and reports whether it has ended a live session.
//
// +checklocks:g.mu
func (g *Gate) use(now time.Time, u *session.Used) bool {
	until := u.Until
	if last := now.Add(longestUse); until.After(last) {
		until = last
	}
	if !until.After(now) {
		return false
	}
	switch u.Kind {
	case session.UsedToken:
		g.elsewhere.used.keep(tokenIDKey(u.ID), until, remembered{why: audit.DropUsed}, g.elsewhere.mostUsed)
	case session.UsedTicket, session.UsedNetwork:
		return g.useTickets(u, until)
	case session.UsedSession:
		return g.usePutOut(u, until)
	}
	return false
}

// useTickets uses up the tickets of a session up to an epoch, or confines them. The session ends here
// if a ticket was used that is later than those which it stands on: its player is elsewhere.
//
// +checklocks:g.mu
func (g *Gate) useTickets(u *session.Used, until time.Time) bool {
	key := sessionKey(u.ID)
	m, most := &g.memory, maxRemembered
	e, known := m.lookup(key)
	if !known {
		m, most = &g.elsewhere.used, g.elsewhere.mostUsed
		if e, known = m.lookup(key); !known {
			e.why = audit.DropUsed
		}
	}
	epoch := &e.spent
	if u.Kind == session.UsedNetwork {
		epoch = &e.confined
	}
	if u.Epoch <= *epoch {
		return false
	}
	*epoch = u.Epoch
	m.keep(key, until, e, most)
	stay, lives := g.stays[u.ID]
	return lives && u.Kind == session.UsedTicket && u.Epoch > stay.epoch && stay.session.halt(wire.ReasonReplaced, CauseElsewhere)
}

// usePutOut ends a session that was put out, and refuses its tickets, whether or not it is known here. If
// this server has given tickets that are good for longer than it is told to remember, it says so itself.
//
// +checklocks:g.mu
func (g *Gate) usePutOut(u *session.Used, until time.Time) (ended bool) {
	reason := u.Reason
	if !reason.Defined() || ticketsDrop(reason) == audit.DropNone {
		reason = wire.ReasonKicked
	}
	why := ticketsDrop(reason)
	if stay, lives := g.stays[u.ID]; lives {
		ended = stay.session.halt(reason, CauseRevokedElsewhere)
	}
	key := sessionKey(u.ID)
	if e, known := g.memory.lookup(key); known || ended {
		if e.why != audit.DropNone && e.why != audit.DropUsed { // it has been refused already
			g.memory.put(key, until.Add(-token.MaxLeeway), e)
			return ended
		}
		g.refuseTickets(u.ID, until.Add(-token.MaxLeeway), why)
		if int64(e.ends) > u.Until.Unix() { // tickets from here may outlive what the other servers remember
			g.note(session.Used{Kind: session.UsedSession, ID: u.ID, Reason: reason, Until: wholeTime(e.ends)})
		}
		return ended
	}
	out := &g.elsewhere.putOut
	e, known := out.lookup(key)
	if !known {
		e.why = why
		if last := g.memory.lastExpiry().Add(token.MaxLeeway); last.After(until) { // clocks differ
			until = last
		}
	}
	if out.keep(key, until, e, g.elsewhere.mostOut) {
		g.elsewhere.dropped = true
	}
	return ended
}

// keep stores e like put, and reports whether it had to forget others before their time, so that there
// are no more than most.
func (m *memory) keep(key uint64, until time.Time, e remembered, most int) (forgot bool) {
	if _, known := m.entries[key]; !known {
		for len(m.entries) >= most {
			m.dropSlot(m.nextSlot, m.nextSlot+1)
			m.nextSlot++
			forgot = true
		}
	}
	m.put(key, until.Add(-token.MaxLeeway), e) // put adds it
	return forgot
}

// find returns the entry of key in a table of elsewhere.
//
// +checklocks:g.mu
func (g *Gate) find(m *memory, key uint64) remembered {
	if len(m.entries) == 0 {
		return remembered{}
	}
	m.now = g.memory.now
	e, _ := m.lookup(key)
	return e
}

// spent returns up to which epoch the tickets of a session are used up.
//
// +checklocks:g.mu
func (g *Gate) spent(name [16]byte) uint32 {
	key := sessionKey(name)
	e, _ := g.memory.lookup(key)
	return max(e.spent, g.find(&g.elsewhere.used, key).spent)
}

// usedElsewhere reports whether a token was used on another server.
//
// +checklocks:g.mu
func (g *Gate) usedElsewhere(claims *token.Claims) bool {
	m := &g.elsewhere.used
	return len(m.entries) > 0 && g.find(m, tokenIDKey(tokenID(claims.Issuer, claims.ID))).why != audit.DropNone
}

// tokenID returns the ID of a session.Used for an identity token.
func tokenID(issuer, id string) [16]byte {
	key := revocationKey(session.RevokeToken, issuer, id)
	return [16]byte(key[:16])
}

// tokenIDKey returns the key of a token that was used elsewhere: 64 bits of a digest of what its issuer
// has chosen.
func tokenIDKey(id [16]byte) uint64 { return binary.BigEndian.Uint64(id[:]) }
