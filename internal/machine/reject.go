package machine

import (
	"slices"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
)

// Reject ends the session because the match refuses its player when it joins. The reply is the CLOSE
// to send, with reason and detail as Dismiss sends them, and the event is EventClosed.
//
// After EventJoined, while WELCOME has not been sent, CLOSE is the answer to HELLO, as if the
// session had never been: its identity token counts as unused. A session that has been resumed or
// restored ends as by Dismiss, but only on this server: another one of the fleet may take its player.
func (c *Conn) Reject(reason wire.Reason, detail string) (reply Reply, ev Event) {
	if !reason.Defined() {
		reason = wire.ReasonKicked
	}
	drop := refusalDrop(reason)
	body := wire.CloseBody{Reason: reason, Detail: closeDetail(detail)}
	if isTemporary(drop) {
		body.RetryAfter = uint32(retryAfter.Milliseconds())
	}
	if c.state != live || c.answer == nil || c.answer.reply.Kind != wire.KindWelcome {
		reply, ev = c.dismiss(reason, detail, (*Session).terminateHere)
	} else {
		digest := c.answer.digest
		c.gate.cancel(c.session)
		c.session, c.id = nil, 0
		c.sending.Store(nil)
		c.first.out.wipe()
		reply, ev = c.close(drop, reason)
		c.answer = &answer{digest, Reply{Kind: wire.KindClose, Body: body.AppendTo(nil)}}
	}
	if reply.Kind != 0 {
		reply.Body = body.AppendTo(nil)
	}
	ev.Drop, ev.Cause, ev.Payload = drop, CauseMatch, []byte(detail)
	return reply, ev
}

// refusalDrop returns what counts a refusal by the match for reason.
func refusalDrop(reason wire.Reason) audit.Drop {
	for _, drop := range [...]audit.Drop{audit.DropFull, audit.DropBusy, audit.DropUnavailable, audit.DropRevoked} {
		if reasons[drop] == reason {
			return drop
		}
	}
	return audit.DropMatch
}

// cancel removes a session that its client has not heard of. Its identity token is unused again,
// unless the session was revoked meanwhile.
func (g *Gate) cancel(s *Session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(s)
	g.memory.release(sessionKey(s.name))
	if s.halt(wire.ReasonKicked, CauseMatch) {
		s.terminated.Or(cancelled)
	}
}

// release removes the entry of a token that has not been used after all.
func (m *memory) release(key uint64) {
	e, known := m.entries[key]
	if !known || e.why != audit.DropUsed {
		return
	}
	delete(m.entries, key)
	m.shares.add(e.owner, -1)
	slot := slotOf(e.ends)
	keys := m.slots[slot]
	for i := len(keys) - 1; i >= 0; i-- { // it is among the last
		if keys[i] == key {
			m.slots[slot] = slices.Delete(keys, i, i+1)
			return
		}
	}
}
