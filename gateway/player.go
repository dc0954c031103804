package gateway

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Player is one player's stay, as a Backend sees it. Its methods are safe for concurrent use. After the
// player has left they send nothing, but Kick and a Judge that revokes still end the session's tickets.
type Player struct {
	// Value is the backend's own. It belongs to the goroutine that calls Join, Data and Left.
	Value any

	gateway  *Gateway          // constant
	conn     *transport.Player // constant
	session  identified        // constant: of when the player joined
	metadata []byte            // constant
	handle   uint32            // constant

	verdict atomic.Uint32 // a policy.Verdict that the next payload is to get
}

// identified is what the table asks of a session.
type identified interface{ ID() uint32 }

// Handle returns a number that names the player's stay on this gateway: never 0, and not used for
// another stay until all other numbers have been, some 60,000 for each seat.
func (p *Player) Handle() uint32 { return p.handle }

// Session returns the player's session, which says who the player is and until when.
func (p *Player) Session() session.Session { return p.conn.Session() }

// Origin returns how the player's stay began.
func (p *Player) Origin() transport.Origin { return p.conn.Origin() }

// Metadata returns what the client has sent along for the game, at most 256 bytes that the player may
// have chosen freely. They must not be changed.
func (p *Player) Metadata() []byte { return p.metadata }

// Addr returns the address that the player's datagrams come from.
func (p *Player) Addr() netip.AddrPort { return p.conn.Addr() }

// HasLanes reports whether the player's client uses the lanes of the gateway.
func (p *Player) HasLanes() bool { return p.conn.HasLanes() }

// Send sends a copy of b: as a payload if lane is Datagram, else as a message of that lane, on one of
// mode Latest as the value of key. It never waits. Errors are those of transport.Player.Send,
// SendMessage and SendLatest.
func (p *Player) Send(lane int, key uint32, b []byte) error {
	if lane == Datagram {
		return p.conn.Send(b)
	}
	if p.gateway.latest(lane) {
		return p.conn.SendLatest(lane, key, b)
	}
	_, err := p.conn.SendMessage(lane, b)
	return err
}

// Kick ends the player's session soon, with reason, and detail for the player's log. A reason that a
// game may not give becomes session.ReasonKicked; see CheckReason. The player may come again with
// another identity token.
func (p *Player) Kick(reason session.Reason, detail ...string) {
	if CheckReason(reason) != nil {
		reason = session.ReasonKicked
	}
	p.conn.Kick(reason, detail...)
}

// CloseAfter ends the player's session as Kick does, once what was sent reliably on lanes has arrived,
// and after wait at the latest; see transport.Player.CloseAfter.
func (p *Player) CloseAfter(wait time.Duration, reason session.Reason, detail ...string) {
	if CheckReason(reason) != nil {
		reason = session.ReasonKicked
	}
	p.conn.CloseAfter(wait, reason, detail...)
}

// CheckReason returns an error for a reason that no backend may end a session with. Its own are
// session.ReasonKicked, those from session.ReasonGame on, session.ReasonLeft when the match is over,
// and those after which a client may come again unchanged: shutdown, full, busy and unavailable.
func CheckReason(r session.Reason) error {
	switch r {
	case session.ReasonLeft, session.ReasonShutdown, session.ReasonKicked, session.ReasonFull, session.ReasonBusy, session.ReasonUnavailable:
		return nil
	}
	if r >= session.ReasonGame {
		return nil
	}
	return ErrReason
}

// Judge applies a verdict of the game's own anti-cheat. policy.VerdictFlag and VerdictLimit apply
// to the player's next payload, as if session.Config.Inspect had returned them: it is recorded, or
// dropped. Of several before that payload the gravest counts; messages of lanes are not judged.
// policy.VerdictRevoke ends the session with the player's next datagram, and its tickets.
func (p *Player) Judge(v policy.Verdict) {
	switch v {
	case policy.VerdictRevoke:
		p.conn.Session().Revoke()
		return
	case policy.VerdictFlag, policy.VerdictLimit:
	default:
		return
	}
	for {
		old := p.verdict.Load()
		if uint32(v) <= old { // verdictNone is above all
			return
		}
		if p.verdict.CompareAndSwap(old, uint32(v)) {
			if old == 0 {
				p.gateway.judged.Add(1)
			}
			return
		}
	}
}
