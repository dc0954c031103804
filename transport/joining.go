package transport

import (
	"bytes"
	"strings"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// stay is where a player is in its stay.
const (
	present = iota
	joining // Join has not returned
	gone
)

// joiningPlayer is the Join of a shard that has not returned. WELCOME and what the game sends to the player
// wait for it: a player who is refused gets nothing of the game.
type joiningPlayer struct {
	player   *Player
	welcome  machine.Reply // its Kind is 0 if it has been sent
	metadata []byte
	early    [][]byte // payloads to the player
	refused  bool
	reason   session.Reason
	detail   string
}

// Metadata returns what the client's HELLO carried for the game, session.ClientConfig.Metadata: at
// most 256 bytes, which the player may have chosen freely. The caller may keep them. It returns nil
// outside Handler.Join, and for a session that began on another server or in another process.
func (p *Player) Metadata() []byte {
	o := &p.shard.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	if j := p.shard.joining; j != nil && j.player == p {
		return bytes.Clone(j.metadata)
	}
	return nil
}

// Refuse refuses a player while Handler.Join runs: the session ends with its tickets before the client has
// received anything of the game, the client's Dial returns a CloseError with reason and detail, and Leave is
// not called. The audit has the player's Accept or Resume, and a Reject. Reason and detail are as for Kick.
// The player's identity token has not been used: the client may show it again, but should do so only after
// session.ReasonFull, ReasonBusy and ReasonUnavailable. A player's other session that had to give way to
// this one stays ended; session.Config.Authorize decides before. After Join has returned Refuse is Kick.
func (p *Player) Refuse(reason session.Reason, detail ...string) {
	o := &p.shard.Out
	o.Mu.Lock()
	j := p.shard.joining
	if ours := j != nil && j.player == p; ours {
		defer o.Mu.Unlock()
		j.refused, j.reason, j.detail = true, reason, strings.Join(detail, " ")
		return
	}
	o.Mu.Unlock()
	p.Kick(reason, detail...)
}

// sendEarly keeps a payload until Join has returned. It reports false if nothing has to wait.
func (p *Player) sendEarly(payload []byte) (waits bool, err error) {
	o := &p.shard.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	switch j := p.shard.joining; {
	case p.stay.Load() == gone:
		return true, ErrGone
	case len(payload) > MaxPayload:
		return true, session.ErrTooLarge
	case j == nil || j.player != p:
		return false, nil
	default:
		j.early = append(j.early, bytes.Clone(payload))
		return true, nil
	}
}

// begin is the end of conn.join: the player is counted, and put before the match.
func (j *joiningPlayer) begin(now time.Time, ev machine.Event) {
	p := j.player
	p.session.OnEnd(&p.ended)
	p.shard.server.sessions.add()
	decision, origin := audit.Accept, OriginOpened
	if ev.Kind == machine.EventResumed {
		decision, origin = audit.Resume, OriginResumed
	}
	p.origin = max(p.origin, origin) // restore has said so before
	p.shard.audit(now, p.conn, decision, ev)
	p.conn.Shard.Handshakes.Note(now, &p.conn.Conn)
	j.admit(now)
}

// admit calls Join, and lets the player in unless Join refuses or panics.
func (j *joiningPlayer) admit(now time.Time) {
	p := j.player
	s := p.shard
	s.Out.Mu.Lock()
	s.joining = j
	p.stay.Store(joining)
	p.agree(&p.conn.session)
	s.Out.Mu.Unlock()
	s.players.add(p) // a broadcast meets nobody who is not joining by then
	returned := false
	defer func() {
		if !returned { // but has panicked: the match does not know the player
			p.Refuse(session.ReasonUnavailable)
		}
		j.over(now)
	}()
	s.handler.Join(p)
	returned = true
}

// over lets the player in, or not, when Join has returned.
func (j *joiningPlayer) over(now time.Time) {
	if !j.settle() {
		j.reject(now)
		return
	}
	c := j.player.conn
	if j.welcome.Kind != 0 {
		c.session.Admitted()
	}
	c.aside.finish(OutcomeOK, "")
}

// settle ends the wait for Join: it sends what has waited, unless the player is refused.
func (j *joiningPlayer) settle() (admitted bool) {
	p := j.player
	s, c := p.shard, p.conn
	o := &s.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	s.joining = nil
	if j.refused {
		p.stay.Store(gone)
		return false
	}
	if j.welcome.Kind != 0 {
		_ = put(o, c, c.Addr, j.welcome.Kind, j.welcome.Body) // a lost datagram: the client repeats HELLO
	}
	if !p.ended.Load() { // else Join has banned or revoked the player
		for _, payload := range j.early {
			_ = put(o, c, c.Addr, wire.KindData, payload) // a lost datagram
		}
	}
	p.stay.Store(present)
	if m := p.messages; m != nil {
		s.schedule.touch(m)
	}
	o.FlushUnlessHeld()
	return true
}

// reject ends the session of a player whom Join has refused.
func (j *joiningPlayer) reject(now time.Time) {
	p := j.player
	s, c := p.shard, p.conn
	s.server.sessions.live.Add(-1)
	s.players.remove(p)
	p.endMessages()
	c.player = nil // whom leave does not see
	e := s.decision(now, c, audit.Reject)
	reply, ev := c.session.Reject(j.reason, j.detail)
	c.Shard.Drop(ev.Drop)
	s.server.audit.refusals.add(ev.Cause)
	e.Reason, e.Cause, e.Detail = ev.Drop, ev.Cause.String(), "in Join: "+ev.Reason.String()
	if j.detail != "" {
		e.Detail += ": " + j.detail
	}
	s.server.audit.Record(e)
	c.aside.cut(ev)
	c.act(now, reply, ev)
	c.linger(now) // also where its client has just said CLOSE
}
