package transport

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/wire"
)

// Player is one player's session as the match server sees it. Its methods are
// safe for concurrent use and stay valid after the player has left.
type Player struct {
	// Value is the game's own, for whatever it knows of the player. It belongs
	// to the goroutine that calls the Handler for this player.
	Value any

	association *association
	session     *session.Session
	gone        atomic.Bool
	place       int // in players.list
}

// Session says who the player is and until when.
func (p *Player) Session() *session.Session { return p.session }

// Addr is the address that the player's datagrams come from.
func (p *Player) Addr() netip.AddrPort { return p.association.where() }

// Send sends payload, at most wire.MaxBody bytes, which are copied. It goes out
// with the end of the turn or the next Flush; Send never waits for the network,
// and never says whether the datagram arrives.
//
// It returns ErrGone when the player has left, session.ErrTooLarge, or
// record.ErrExhausted after 2^24 datagrams on one connection.
func (p *Player) Send(payload []byte) error {
	if p.gone.Load() {
		return ErrGone
	}
	return p.association.shard.out.envelope(p.association, wire.KindData, payload)
}

// PlayerStats is what is known of a player's traffic.
type PlayerStats struct {
	Received uint64        // datagrams that passed every check
	Lost     uint64        // datagrams that the player has sent and that have not come, or too late
	Sent     uint64        // datagrams to the player
	RTT      time.Duration // the last one measured; 0 before, and without session.Config.Ping

	// Prefix is the network that the player's datagrams come from.
	Prefix netip.Prefix
	// Doubt says whether the fingerprint or the behaviour is as it should be:
	// session.EventNone; EventStepUp while a fresh identity token is waited for;
	// EventFlagged after something was recorded.
	Doubt session.EventKind
}

// Stats counts. Unlike the other methods it belongs to the goroutine that calls
// the Handler for this player.
func (p *Player) Stats() PlayerStats {
	a := p.association
	a.shard.out.mu.Lock() // Sent is the sending half's
	defer a.shard.out.mu.Unlock()
	s := a.match.Stats()
	return PlayerStats{s.Accepted, s.Lost, s.Sent, s.RTT, prefixOf(a.addr), s.Doubt}
}

// Kick ends the player's session soon: CLOSE with the reason is sent, and Leave
// is called in the next turn.
func (p *Player) Kick(reason wire.Reason) {
	a := p.association
	a.shard.post(func(now time.Time) { a.shard.end(now, a, reason) })
}

// players is every player of a shard, for broadcasts.
type players struct {
	mu sync.RWMutex
	// +checklocks:mu
	list []*Player
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
func prefixOf(a netip.AddrPort) netip.Prefix { return policy.NetworkPrefix(a.Addr()) }
