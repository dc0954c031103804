package transport

import (
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/policy"
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
	gone    atomic.Bool
	place   int // in players.list

	// The connection on which the session lives. Changed by the shard's turn, under
	// the outbox's lock; so the turn reads it without.
	conn *conn
}

// Session says who the player is and until when.
func (p *Player) Session() session.Session { return p.session }

// Addr is the address that the player's datagrams come from.
func (p *Player) Addr() netip.AddrPort {
	p.shard.Out.Mu.Lock()
	defer p.shard.Out.Mu.Unlock()
	return p.conn.Addr.AddrPort
}

// Send sends payload, at most MaxPayload bytes, which are copied. It goes out
// with the end of the turn or the next Flush; Send never waits for the network,
// and never says whether the datagram arrives.
//
// It returns ErrGone when the player has left, session.ErrTooLarge, or
// record.ErrExhausted when the player's connection has ended, or has carried 2^24
// datagrams, and the player has not come back by another.
func (p *Player) Send(payload []byte) error {
	if p.gone.Load() {
		return ErrGone
	}
	return p.sendPayload(payload)
}

// PlayerStats is what is known of a player's traffic.
type PlayerStats struct {
	Received uint64        // datagrams that passed every check
	Lost     uint64        // datagrams that the player has sent and that have not come, or too late
	Sent     uint64        // datagrams to the player
	RTT      time.Duration // the last one measured; 0 before, and without session.Config.Ping

	// Prefix is the network that the player's datagrams come from.
	Prefix netip.Prefix
	// Doubt is what was recorded of the player's fingerprint or behaviour.
	Doubt Doubt
}

// Stats counts. Unlike the other methods it belongs to the goroutine that calls
// the Handler for this player.
func (p *Player) Stats() PlayerStats {
	p.shard.Out.Mu.Lock() // Sent is the sending half's
	defer p.shard.Out.Mu.Unlock()
	c := p.conn
	s := c.session.Stats()
	return PlayerStats{s.Accepted, s.Lost, s.Sent, s.RTT, prefixOf(c.Addr), doubtOf(s.Doubt)}
}

// Kick ends the player's session soon: CLOSE with the reason is sent, and Leave
// is called in the next turn. The player does not come back by ticket, whatever the
// reason, nor after it has left: to keep the player's identity out too, see
// Server.Ban. Reasons from session.ReasonGame on are the game's own; 0, and one that
// the protocol does not define, is session.ReasonKicked. A detail is text for the player's
// log, of which the first 64 bytes are sent.
func (p *Player) Kick(reason session.Reason, detail ...string) {
	text := strings.Join(detail, " ")
	p.shard.Post(kicked{p, reason, text})
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
	p.place = len(ps.list)
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
func prefixOf(a udp.Flow) netip.Prefix { return policy.NetworkPrefix(a.Addr()) }
