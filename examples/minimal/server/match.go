package main

import (
	"context"
	"encoding/binary"
	"log"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

const (
	tick = time.Second / 60
	side = 1000 // of the square: positions are 0 to side
	room = 140  // players that fit one datagram, at 8 bytes each
)

// player is a player's position and direction, a step a tick. A client states the direction and
// nothing else: the server decides where it is.
type player struct {
	id     uint32
	x, y   int16
	dx, dy int16
}

// match holds the players. It belongs to the goroutine that calls Poll.
type match map[*transport.Player]*player

// play ticks until ctx is done.
func play(ctx context.Context, server *transport.Server) error {
	m := match{}
	handler := transport.Handler{Join: m.join, Receive: m.receive, Leave: m.leave}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return server.Shutdown(context.Background())
		case <-ticker.C:
		}
		if _, err := server.Poll(handler); err != nil { // everything that came since the last tick
			return err
		}
		server.Broadcast(m.step()) //nolint:errcheck // the next snapshot replaces one that is lost
		server.Flush()             // everything goes out together
	}
}

func (m match) join(p *transport.Player) {
	log.Print(p.Session().Subject(), " joined")
	m[p] = &player{id: p.Session().ID(), x: side / 2, y: side / 2}
}

// receive takes an input: two bytes, each -1, 0 or 1. A client can send anything.
func (m match) receive(p *transport.Player, input []byte) {
	if len(input) == 2 {
		m[p].dx, m[p].dy = direction(input[0]), direction(input[1])
	}
}

func direction(b byte) int16 { return int16(min(max(int8(b), -1), 1)) }

func (m match) leave(p *transport.Player, reason session.Reason) {
	log.Print(p.Session().Subject(), ": ", reason)
	delete(m, p)
}

// step moves all players and returns a snapshot: id, x and y of each. When it has no room for all,
// each snapshot shows others, since a map has no order.
func (m match) step() (snapshot []byte) {
	for _, p := range m {
		p.x, p.y = min(max(p.x+p.dx, 0), side), min(max(p.y+p.dy, 0), side)
		if len(snapshot) < room*8 {
			snapshot = binary.BigEndian.AppendUint32(snapshot, p.id)
			snapshot = binary.BigEndian.AppendUint16(snapshot, uint16(p.x))
			snapshot = binary.BigEndian.AppendUint16(snapshot, uint16(p.y))
		}
	}
	return snapshot
}
