package nakamabridge

import (
	"cmp"
	"unicode/utf8"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
)

// admit admits the UDP sessions that have joined since the last tick.
func (m *match) admit(c call, state any, joins []*member) any {
	for _, j := range joins {
		if at := m.seats.virtuals[j.userID]; at != nil && at.udp.out.Load() { // put out since the last tick: its seat goes first
			if state = m.depart(c, state, at.virtual.leaving(at.udp, session.ReasonKicked), session.ReasonKicked); state == nil {
				return nil
			}
		}
		switch {
		case j.out.Load(): // gone again
		case j.sessionID != "":
			m.seats.bind(j)
		case m.seats.virtuals[j.userID] != nil:
			m.seats.take(m.seats.virtuals[j.userID], j) // back on a new connection: the same player to the game
		default:
			state = m.ask(c, state, j)
		}
		if state == nil {
			break
		}
	}
	return state
}

// ask calls the game's MatchJoinAttempt for a UDP-only player.
func (m *match) ask(c call, state any, j *member) any {
	if len(m.seats.virtuals) >= m.bridge.config.VirtualPlayers {
		j.kick(session.ReasonFull)
		return state
	}
	v := newVirtual(j)
	ctx := attempt{c.ctx, j, v.SessionID}
	metadata := j.profile.metadataFor(m.id)
	state, allow, reason := m.inner.MatchJoinAttempt(ctx, c.logger, c.db, c.nk, c.dispatcher, c.tick, state, v, metadata)
	if state == nil {
		return nil
	}
	if !allow {
		j.kick(session.ReasonKicked, cut(cmp.Or(reason, joinRejected)))
		return state
	}
	m.seats.sitVirtual(v, j)
	return m.inner.MatchJoin(c.ctx, c.logger, c.db, c.nk, c.dispatcher, c.tick, state, []runtime.Presence{v})
}

// joinRejected is what Nakama tells a client when the game gives no reason.
const joinRejected = "Match join rejected"

// cut shortens text to what a CLOSE carries, between characters.
func cut(text string) string {
	if len(text) <= maxDetail {
		return text
	}
	n := maxDetail
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// merge appends the UDP inputs of the match's members to the socket messages.
func (m *match) merge(messages []runtime.MatchData, b batch) []runtime.MatchData {
	if len(b.inputs) == 0 {
		return messages
	}
	messages = append(make([]runtime.MatchData, 0, len(messages)+len(b.inputs)), messages...)
	for i := range b.inputs {
		in := &b.inputs[i]
		if in.member.seat == nil || in.member.out.Load() {
			m.bridge.counts.orphaned.Add(1)
			continue
		}
		in.Presence = in.member.seat.presence
		in.data = b.data[in.start:in.end:in.end]
		messages = append(messages, in)
	}
	return messages
}

// dismiss removes the sessions that have ended since the last tick.
func (m *match) dismiss(c call, state any, leaves []*member) any {
	for _, l := range leaves {
		at := l.seat
		m.seats.release(l)
		if at == nil || at.virtual == nil {
			continue // a socket stays without UDP
		}
		if state = m.depart(c, state, at.virtual.leaving(l, l.reason), l.reason); state == nil {
			return nil
		}
	}
	return state
}

// left is the reason in MatchLeave of a player whom the game has kicked.
var left = runtime.PresenceReasonLeave

// expel removes the UDP-only players whom the game has kicked.
func (m *match) expel(c call, state any) any {
	for kicked := m.dispatcher.expelled(); len(kicked) > 0; kicked = m.dispatcher.expelled() {
		for _, at := range kicked {
			if at.udp == nil {
				continue // it has left before, or was kicked twice
			}
			at.udp.parting.Store(&left)
			if !at.udp.out.Load() {
				at.udp.close(session.ReasonKicked)
			}
			if state = m.depart(c, state, at.virtual.leaving(at.udp, session.ReasonKicked), session.ReasonKicked); state == nil {
				return nil
			}
		}
	}
	return state
}

// depart removes a UDP-only player and tells the game.
func (m *match) depart(c call, state any, gone *virtual, reason session.Reason) any {
	m.seats.rise(gone.SessionID, reason)
	return m.inner.MatchLeave(c.ctx, c.logger, c.db, c.nk, c.dispatcher, c.tick, state, []runtime.Presence{gone})
}
