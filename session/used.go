package session

import (
	"strconv"
	"time"
)

// UsedKind is what a server has used up.
type UsedKind uint8

// The kinds of what is used up.
const (
	// UsedToken is an identity token that has opened or renewed a session. It is refused with
	// ReasonUsed.
	UsedToken UsedKind = iota + 1

	// UsedTicket stands for the tickets of a session up to an epoch: one of them has resumed it, or
	// its player has left. They are refused with ReasonTicket; later ones are good.
	UsedTicket

	// UsedSession is a session that was ended by force: by a kick, a ban, a revocation, or by what its
	// client did. It ends wherever it lives, and all of its tickets are refused: with ReasonRevoked if
	// it was revoked, else with ReasonTicket.
	UsedSession

	// UsedNetwork is a session whose step up has lapsed: its tickets up to an epoch are good only from
	// the network that they are bound to.
	UsedNetwork
)

var usedNames = [...]string{UsedToken: "token", UsedTicket: "ticket", UsedSession: "session", UsedNetwork: "network"}

// String returns the kind as a word, or "used N".
func (k UsedKind) String() string {
	if k >= UsedToken && k <= UsedNetwork {
		return usedNames[k]
	}
	return "used " + strconv.Itoa(int(k))
}

// Used is something that is good once in a whole fleet and was used up on one of its servers:
// Config.OnUsed reports it there, and transport.Server.Use makes another server refuse it. It names
// no player and is no secret. Applying it twice, late or in another order changes nothing.
type Used struct {
	Kind UsedKind

	// ID is the Name of a session; of an identity token the first 16 bytes of the digest that
	// docs/fleet.md 8.5 describes.
	ID [16]byte

	// Epoch is the last epoch whose tickets are concerned. It is 0 for UsedToken and UsedSession.
	Epoch uint32

	// Reason is why a session was ended by force, 0 for the other kinds.
	Reason Reason

	// Until is when it may be forgotten: what it concerns has expired by then, on every server.
	Until time.Time
}
