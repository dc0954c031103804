package transport

import (
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/session"
)

// Player is one player's session as the match server sees it. Its methods are
// safe for concurrent use and stay valid after the player has left.
type Player struct {
	// Value is the game's own, for whatever it knows of the player. It belongs
	// to the goroutine that calls the Handler for this player.
	Value any

	shard   *shard           // constant once there is a session: it stays on its shard
	session *machine.Session // constant
	stay    atomic.Uint32    // present, joining or gone
	ended   atomic.Bool      // the session has been ended, and the player is about to leave
	origin  Origin           // constant
	left    bool             // Leave has been called, or is about to be; the turn's
	place   int32            // in players.list

	// The connection on which the session lives. Changed by the shard's turn, under
	// the outbox's lock; so the turn reads it without.
	conn *conn

	messages *messages // nil without lanes; under the outbox's lock, changed by the shard's turn
}

// Session returns the player's session, which says who the player is and until when.
func (p *Player) Session() session.Session { return p.session }

// Addr returns the address that the player's datagrams come from.
func (p *Player) Addr() netip.AddrPort {
	p.shard.Out.Mu.Lock()
	defer p.shard.Out.Mu.Unlock()
	return p.conn.Addr.AddrPort
}

// Send sends payload, at most MaxPayload bytes, which are copied. It goes out
// with the end of the turn or the next Flush; Send never waits for the network,
// and never says whether the datagram arrives.
//
// It returns ErrGone when the player has left, or has been banned, revoked or put out by Authorize,
// although Leave is called later; session.ErrTooLarge; or ErrNotConnected when the player's
// connection has ended, or has carried 2^24 datagrams, and the player has not resumed on another.
func (p *Player) Send(payload []byte) error {
	if p.ended.Load() {
		return ErrGone
	}
	if p.stay.Load() != present {
		if waits, err := p.sendEarly(payload); waits {
			return err
		}
	}
	return p.sendPayload(payload)
}

// Kick ends the player's session soon: CLOSE with the reason is sent, and Leave is called in the
// next turn. The player does not come back by ticket, whatever the reason, nor after it has left:
// to keep the player's identity out too, see Server.Ban. Once Shutdown has written Config.Snapshot
// the next process hears of it by session.Config.OnUsed alone. In a fleet (session.Config.OnUsed) it
// ends the session on every server, even where the player has continued it meanwhile, unless the
// reason is session.ReasonLeft, ReasonReplaced, ReasonIdle, which a match gives that removes a player
// for silence, or one after which a client may come again as it is: ReasonShutdown, ReasonFull,
// ReasonBusy or ReasonUnavailable. Reasons from session.ReasonGame on are the game's own; 0, and one
// that the protocol does not define, is session.ReasonKicked. A detail is text for the player's log,
// of which the first 64 bytes are sent. The audit and the log have it, too: it should name nobody.
func (p *Player) Kick(reason session.Reason, detail ...string) {
	text := strings.Join(detail, " ")
	p.shard.Post(kicked{p, reason, text})
	if p.shard.server.lifetime.leaving.Load() { // there may be no next turn
		p.session.PutOut(reason)
	}
}

// players is every player of a shard, for broadcasts.
type players struct {
	mu sync.RWMutex
	// +checklocks:mu
	list []*Player

	read byte // what prefetch has read: kept, so that it is read; under the outbox's lock
}

func (ps *players) add(p *Player) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p.place = int32(len(ps.list))
	ps.list = append(ps.list, p)
}

func (ps *players) remove(p *Player) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	last := len(ps.list) - 1
	ps.list[p.place] = ps.list[last]
	ps.list[p.place].place = p.place
	ps.list[last] = nil
	ps.list = ps.list[:last]
}

// prefixOf is what the audit keeps of an address.
func prefixOf(a udp.Flow) netip.Prefix { return sources.NetworkPrefix(a.Addr()) }
