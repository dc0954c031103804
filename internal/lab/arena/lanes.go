package arena

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// The lanes of the match: one of each mode, and one for the bulk. Package arena draws their
// messages.
const (
	LaneNews    = iota // to all, once a second, in order
	LaneView           // to each player: everybody, as what has changed since a view that the player has
	LanePickups        // from a player, and back
	LaneScores         // to each player: the leaders, by rank
	LaneSparks         // to all: nobody misses a lost one
	LaneLevel          // to each player on joining, behind everything else
	NumLanes
)

// Lanes returns the lanes for transport.Config. What must arrive is short and leaves first, where a
// line is narrow.
func Lanes() []transport.Lane {
	return []transport.Lane{
		LaneNews:    {Mode: transport.Ordered},
		LaneView:    {Mode: transport.Sequenced, Priority: 1, MaxMessage: MaxView, MaxAge: stale, Parity: 1},
		LanePickups: {Mode: transport.Reliable, Input: true, Insure: true, Receipts: true},
		LaneScores:  {Mode: transport.Latest},
		LaneSparks:  {Mode: transport.Unreliable, Priority: 1, MaxAge: stale},
		LaneLevel:   {Mode: transport.Ordered, Priority: 2, MaxMessage: LevelLen},
	}
}

// laned is a player's connection that may have lanes: a *transport.Player.
type laned interface {
	HasLanes() bool
	SendMessage(lane int, b []byte) (id uint64, err error)
	SendLatest(lane int, key uint32, b []byte) error
	Delivered(lane int) uint64
}

// welcome sends a newcomer the level. A player whom the process before has left has it, or gets it
// on the lanes of before.
func (a *Arena) welcome(p *transport.Player) {
	if p.Origin() != transport.OriginRestored {
		stamp(a.level[:0], a.now())
		p.SendMessage(LaneLevel, a.level) //nolint:errcheck // the player has no lanes
	}
}

// message takes a message of a player: something that it has picked up.
func (a *Arena) message(p *transport.Player, lane int, b []byte) {
	if lane == LanePickups {
		p.Value.(*player).score++
		p.SendMessage(LanePickups, b) //nolint:errcheck // the player is leaving, or has not listened for long
	}
}

// sendView sends a player everybody, as what has changed since the newest view that it has.
func (a *Arena) sendView(p *player) {
	base := p.viewed.tick(p.lanes.Delivered(LaneView))
	a.buffer = appendView(stamp(a.buffer[:0], a.time), a.tick, base, a.bodies, a.views.at(base))
	if id, err := p.lanes.SendMessage(LaneView, a.buffer); err == nil {
		p.viewed.note(id, a.tick)
	}
}

// sendScores sends a player who leads. Of values that wait, the newest alone is sent.
func (a *Arena) sendScores(p *player) {
	for rank, leader := range a.leaders {
		a.buffer = leader.body.appendTo(stamp(a.buffer[:0], a.time))
		a.buffer = binary.BigEndian.AppendUint32(a.buffer, leader.score)
		p.lanes.SendLatest(LaneScores, uint32(rank), a.buffer) //nolint:errcheck // the player is leaving
	}
	for rank := len(a.leaders); rank < Leaders; rank++ {
		p.lanes.SendLatest(LaneScores, uint32(rank), nil) //nolint:errcheck // likewise
	}
}

// rank finds the leaders.
func (a *Arena) rank() {
	clear(a.leaders)
	a.leaders = append(a.leaders[:0], a.players...)
	slices.SortFunc(a.leaders, func(p, q *player) int {
		return cmp.Or(cmp.Compare(q.score, p.score), cmp.Compare(p.body.Player, q.body.Player))
	})
	a.leaders = a.leaders[:min(Leaders, len(a.leaders))]
}

// broadcast sends everybody what is for all.
func (a *Arena) broadcast(srv *transport.Server) {
	if a.tick%uint32(a.rate) == 0 {
		a.buffer = binary.BigEndian.AppendUint32(stamp(a.buffer[:0], a.time), a.match)
		a.buffer = binary.BigEndian.AppendUint32(a.buffer, a.tick)
		srv.BroadcastMessage(LaneNews, a.buffer) //nolint:errcheck // who misses it has not listened for long
	}
	if a.tick%sparkEvery == 0 && len(a.players) > 0 {
		at := a.players[int(a.tick/sparkEvery)%len(a.players)]
		a.buffer = at.body.appendTo(stamp(a.buffer[:0], a.time))
		srv.BroadcastMessage(LaneSparks, a.buffer) //nolint:errcheck // likewise
	}
}

// stamp appends a time, with which every message of the server begins.
func stamp(dst []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t.UnixMicro()))
}

// Stamp returns the time of a message of the server, by the server's clock; b must be one.
func Stamp(b []byte) (time.Time, bool) {
	if len(b) < StampLen {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b))), true
}

// News is a message of LaneNews.
type News struct {
	Match, Tick uint32
}

// ParseNews reads a message of LaneNews.
func ParseNews(b []byte) (News, error) {
	if len(b) != newsLen {
		return News{}, ErrMalformed
	}
	return News{binary.BigEndian.Uint32(b[StampLen:]), binary.BigEndian.Uint32(b[StampLen+4:])}, nil
}

// Level returns what a player is sent on joining; the stamp in it is empty.
func Level() []byte {
	b := make([]byte, LevelLen)
	for i := StampLen; i < len(b); i++ {
		b[i] = byte(i * i >> 3)
	}
	return b
}
