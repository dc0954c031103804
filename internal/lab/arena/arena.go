package arena

import (
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Arena is the square and who is in it. It belongs to one goroutine.
type Arena struct {
	rate    uint16 // ticks a second; constant
	match   uint32 // constant
	tick    uint32
	joined  uint32 // players so far: the newest one's number
	players []*player

	bodies   []byte // all players as of this tick, in the order of players
	others   []byte // what one snapshot shows of them
	snapshot []byte // the one being sent
	buffer   []byte // a message that is being sent

	now     func() time.Time // constant
	time    time.Time        // of this tick
	views   views
	leaders []*player // as of the last second
	level   []byte    // its stamp is that of the newest player
}

// New returns an empty arena that is to be stepped rate times a second, at most MaxTick. match is its number, not 0,
// which no other one that a player may come to should have: draw it.
func New(rate int, match uint32) *Arena {
	return &Arena{
		rate: uint16(rate), match: match, now: time.Now, level: Level(), snapshot: make([]byte, 0, transport.MaxPayload),
	}
}

// Handler is the arena's side of a match server. Its functions and Step take turns.
func (a *Arena) Handler() transport.Handler {
	return transport.Handler{
		Join:    func(p *transport.Player) { p.Value = a.join(p); a.welcome(p) },
		Receive: func(p *transport.Player, payload []byte) { p.Value.(*player).receive(payload) },
		Message: func(p *transport.Player, lane int, _ uint64, b []byte) { a.message(p, lane, b) },
		Leave:   func(p *transport.Player, _ session.Reason) { a.leave(p.Value.(*player)) },
	}
}

// join puts a newcomer in the middle.
func (a *Arena) join(conn sender) *player {
	a.joined++
	p := &player{conn: conn, body: Body{Player: a.joined}, x: Side / 2.0, y: Side / 2.0, place: len(a.players)}
	p.lanes, _ = conn.(laned)
	a.players = append(a.players, p)
	return p
}

func (a *Arena) leave(p *player) {
	last := len(a.players) - 1
	a.players[p.place] = a.players[last]
	a.players[p.place].place = p.place
	a.players[last] = nil
	a.players = a.players[:last]
}

// Step moves everybody and sends everybody what has become of it. It allocates nothing once the
// arena has been as full before.
func (a *Arena) Step() {
	a.tick++
	a.time = a.now()
	a.bodies = a.bodies[:0]
	for _, p := range a.players {
		p.move(1 / float64(a.rate))
		a.bodies = p.body.appendTo(a.bodies)
	}
	view := a.tick%viewEvery == 0 && a.viewed()
	if view {
		a.views.keep(a.tick, a.bodies)
	}
	second := a.tick%uint32(a.rate) == 0
	if second {
		a.rank()
	}
	for _, p := range a.players {
		has := p.hasLanes()
		if has && view {
			a.sendView(p)
		}
		if has && second {
			a.sendScores(p)
		}
		a.sendSnapshot(p, !has || !a.viewed())
	}
}

// viewed reports whether views show everybody, to those who have lanes.
func (a *Arena) viewed() bool { return len(a.players) <= maxViewed }

// sendSnapshot answers a player's inputs, and shows others unless views do.
func (a *Arena) sendSnapshot(p *player, others bool) {
	s := Snapshot{
		Match: a.match, Tick: a.tick, Rate: a.rate, Delivered: p.delivered,
		Newest: p.newest.Number, Time: p.newest.Time, You: p.body,
	}
	if others {
		s.Others = a.seenBy(p)
	}
	a.snapshot = s.AppendTo(a.snapshot[:0])
	p.conn.Send(a.snapshot) //nolint:errcheck // a lost datagram
}

// Body is where p is, who has joined and not left.
func (a *Arena) Body(p *transport.Player) Body { return p.Value.(*player).body }

// seenBy is the others, in turns of MaxOthers, beginning behind p. It is good until the next call.
func (a *Arena) seenBy(p *player) Bodies {
	others := len(a.players) - 1
	a.others = a.others[:0]
	for i := range min(others, MaxOthers) {
		behind := (a.tick*MaxOthers + uint32(i)) % uint32(others)
		at := (p.place + 1 + int(behind)) % len(a.players) * bodyLen
		a.others = append(a.others, a.bodies[at:at+bodyLen]...)
	}
	return a.others
}
