package gateway

import "github.com/sallyport/sallyport/session"

// Datagram is the lane of payloads, which travel on none.
const Datagram = -1

// Backend is the game behind a gateway.
//
// Join, Data and Left are called on the goroutine of the player's shard: for one player one at a time
// and in order, for players of different shards at the same time. They must not block, and
// Data must not allocate. All other methods are safe for concurrent use.
//
// A Backend whose players need more than a snapshot holds, as their metadata, also has the method
// Restores() bool, which returns false: then a Config with Transport.Snapshot is an error.
type Backend interface {
	// Start is called once, by New, before anything else. The backend sends to players through the
	// Players that it gets from Join; g tells it who plays, for a game that has restarted. New returns
	// Start's error.
	Start(g *Gateway) error

	// Join is called for a player who has been admitted, before the client hears of it. Player.Value
	// is the backend's own. A backend that cannot take the player calls Player.Kick, now or later.
	Join(p *Player)

	// Data is called with what a player has sent: a payload if lane is Datagram, else a message of
	// that lane. On a lane of mode Latest key is the value's key, and an empty b removes it; otherwise
	// key is 0. b is borrowed: it is valid until Data returns.
	Data(p *Player, lane int, key uint32, b []byte)

	// Left is called once for each player that Join was called for, when the session is over, and is
	// the last call about the player.
	Left(p *Player, reason session.Reason)

	// Ready returns nil while new players can play, else an error that tells an operator why they
	// cannot. It is called at each admission and several times a second, and must not wait.
	Ready() error

	// Close ends the backend, after Left has been called for every player, and returns once all of its
	// goroutines have ended.
	Close() error
}
