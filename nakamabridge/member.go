package nakamabridge

import (
	"sync/atomic"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/internal/matchdata"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// member is a UDP session of a match.
type member struct {
	match     *match // constant, as all down to profile
	player    *transport.Player
	userID    string
	sessionID string // of the socket that it was made for; empty if made for none
	sender    bool   // its datagrams name the sender
	since     time.Time
	profile   profile // without sessionID: for a UDP-only player

	out     atomic.Bool                            // replaced, kicked or revoked: its inputs no longer count
	parting atomic.Pointer[runtime.PresenceReason] // for MatchLeave; nil means that the way it ends decides

	seat   *seat          // in the match, nil while there is none; written as seats are
	reason session.Reason // why it left; written before it is in inbox.leaves
}

// kick ends the session.
func (m *member) kick(reason session.Reason, detail ...string) {
	m.out.Store(true)
	m.player.Kick(reason, detail...)
}

// giveWay ends the session in favour of another one that takes its place in the match. A player whose connection
// has ended, and who has come back by ticket before the match heard of it, goes on with the same session.
func (m *member) giveWay(to *member) {
	m.out.Store(true)
	if m.player.Session().Name() != to.player.Session().Name() {
		m.player.Kick(session.ReasonReplaced)
	}
}

// close ends the session once what was sent reliably has arrived, as far as it does within lastWords.
// kick may still end it at once.
func (m *member) close(reason session.Reason, detail ...string) {
	m.out.Store(true)
	m.player.CloseAfter(lastWords, reason, detail...)
}

// part ends the session, and says why in MatchLeave.
func (m *member) part(why runtime.PresenceReason) {
	m.parting.Store(&why)
	m.kick(session.ReasonKicked)
}

// matchOver is the detail of a CLOSE to the players of a match that has ended.
const matchOver = "the match is over"

// join is transport.Handler's Join: it tells the match. A player of a match that has just ended is
// refused.
func (b *Bridge) join(p *transport.Player) {
	m := b.member(p)
	if m == nil {
		p.Refuse(session.ReasonLeft, matchOver)
		return
	}
	if ok := false; m.sessionID == "" {
		if m.profile, ok = b.profiles.Get(m.userID); !ok {
			p.Refuse(session.ReasonBusy, "ask for the address again") // the profile was evicted: another call of the RPC restores it
			return
		}
	}
	b.enter(m)
	if !m.match.inbox.join(m) {
		b.exit(m)
		p.Refuse(session.ReasonLeft, matchOver)
		return
	}
	p.Value = m
	b.announce(m.userID)
	if at, ok := b.revoked.Get(m.userID); ok && m.since.Sub(at) < revokeSettle {
		m.kick(session.ReasonRevoked) // after authorize had looked, before Revoke could find the session
	}
}

// member reads the session's scope; nil when its match is over.
func (b *Bridge) member(p *transport.Player) *member {
	id, sid, sender := scopeWords(p.Session().Scope())
	match := b.match(id)
	if match == nil {
		return nil
	}
	return &member{match: match, player: p, userID: p.Session().Subject(), sessionID: sid, sender: sender, since: time.Now()}
}

// enter and exit keep the table that Revoke and patrol look at.
func (b *Bridge) enter(m *member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.members[m.userID] == nil {
		b.members[m.userID] = make(map[*member]struct{})
	}
	b.members[m.userID][m] = struct{}{}
}

func (b *Bridge) exit(m *member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.members[m.userID], m)
	if len(b.members[m.userID]) == 0 {
		delete(b.members, m.userID)
	}
}

// receive is transport.Handler's: it copies the input into the match's queue.
func (b *Bridge) receive(p *transport.Player, payload []byte) { b.take(p, payload, false) }

func (b *Bridge) take(p *transport.Player, payload []byte, reliable bool) {
	m, _ := p.Value.(*member)
	if m == nil {
		b.counts.orphaned.Add(1)
		return
	}
	op, data, err := matchdata.Parse(payload)
	switch {
	case err != nil:
		b.counts.malformed.Add(1)
	case !m.match.inbox.push(m, op, time.Now().UnixMilli(), data, reliable):
		b.counts.overflow.Add(1)
	default:
		b.counts.inputs.Add(1)
	}
}

// leave is transport.Handler's.
func (b *Bridge) leave(p *transport.Player, reason session.Reason) {
	if m, _ := p.Value.(*member); m != nil {
		m.reason = reason
		b.exit(m)
		m.match.inbox.leave(m)
	}
}
