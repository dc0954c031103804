package nakamabridge

import (
	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
)

// admit admits the UDP sessions that have joined since the last tick.
func (m *match) admit(c call, state any, joins []*member) any {
	for _, j := range joins {
		switch {
		case j.out.Load(): // gone again
		case j.sessionID != "":
			m.seats.bind(j)
		case m.seats.virtuals[j.userID] != nil:
			m.seats.take(m.seats.virtuals[j.userID], j) // back on a new connection: the same player to the game
		case m.seats.socketOf(j.userID) != nil:
			m.seats.take(m.seats.socketOf(j.userID), j)
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
	ctx := attempt{c.ctx, j, v.sessionID}
	metadata := map[string]string{"transport": "udp"}
	state, allow, _ := m.inner.MatchJoinAttempt(ctx, c.logger, c.db, c.nk, c.dispatcher, c.tick, state, v, metadata)
	if state == nil {
		return nil
	}
	if !allow {
		j.kick(session.ReasonKicked)
		return state
	}
	m.seats.sitVirtual(v, j)
	return m.inner.MatchJoin(c.ctx, c.logger, c.db, c.nk, c.dispatcher, c.tick, state, []runtime.Presence{v})
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
		m.seats.rise(at.virtual.sessionID, l.reason)
		gone := []runtime.Presence{at.virtual.leaving(l.reason)}
		if state = m.inner.MatchLeave(c.ctx, c.logger, c.db, c.nk, c.dispatcher, c.tick, state, gone); state == nil {
			return nil
		}
	}
	return state
}
