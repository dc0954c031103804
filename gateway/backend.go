package gateway

import "github.com/sallyport/sallyport/session"

// Datagram is the lane of payloads, which travel on none.
const Datagram = -1

// Backend is the game behind a gateway.
//
// Join, Data and Left are called on the goroutine of the player's shard: for one player one at a time
// and in order, for players of different shards at the same time. They must not block, and
// Data must not allocate. All other methods are safe for concurrent use.
type Backend interface {
	// Start is called once, by New, before anything else. What the backend has to say to players it says
	// by the Players that Join has given it; g tells who plays, for a game that has restarted. An
	// error is that of New.
	Start(g *Gateway) error

	// Join is told of a player who has been admitted, before the client hears of it. Player.Value is
	// the backend's own. A backend that cannot take the player says so by Player.Kick, now or later.
	Join(p *Player)

	// Data is given what a player has sent: a payload if lane is Datagram, else a message of that lane.
	// key is that of a lane of mode Latest, 0 otherwise; there, no bytes remove the key. b is borrowed:
	// it is valid until Data returns.
	Data(p *Player, lane int, key uint32, b []byte)

	// Left is told once of each player that Join was told of, when the session is over. Nothing of the
	// player comes after it.
	Left(p *Player, reason session.Reason)

	// Ready returns nil while new players can play, else why they cannot, in words for an operator. It
	// is asked at each admission and several times a second, and must not wait.
	Ready() error

	// Close ends the backend, after Left has been called for every player, and returns when nothing of
	// it runs any more.
	Close() error
}
