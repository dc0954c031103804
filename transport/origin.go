package transport

import "strconv"

// Origin is how a player's stay on this server began.
type Origin uint8

// The origins of a stay.
const (
	OriginOpened   Origin = 1 // a new session, by an identity token
	OriginResumed  Origin = 2 // by ticket: the session has lived on another server, or its connection here had ended
	OriginRestored Origin = 3 // from Config.Snapshot: the session goes on in this process on the same connection, lanes included
)

var originNames = [...]string{OriginOpened: "opened", OriginResumed: "resumed", OriginRestored: "restored"}

// String returns the origin as a word, or "origin N".
func (o Origin) String() string {
	if o >= OriginOpened && o <= OriginRestored {
		return originNames[o]
	}
	return "origin " + strconv.Itoa(int(o))
}

// Origin returns how the player's stay began. A match that keeps its state beyond its process finds
// that of a player who was resumed or restored by Session().Name: the client plays on, and expects
// no beginning. After OriginRestored the lanes continue, with their ids; after OriginResumed they
// start over, and the client has been told so. Resuming a session on the server where it lives
// begins no new stay.
func (p *Player) Origin() Origin { return p.origin }
