package session

import (
	"errors"
	"time"
)

// ErrBan means that a Ban does not name its player, or has a Reason with which a client would come
// again.
var ErrBan = errors.New("session: a ban needs an issuer, a subject, and a reason of kicked, wrong scope, fingerprint changed, revoked, too many datagrams, or ReasonGame and above")

// ErrBansFull means that MaxBans are remembered already and none of them is over: the player's
// sessions have been ended, but the player can come again. Refuse newcomers, or allow more bans.
var ErrBansFull = errors.New("session: too many bans to remember another; the player's sessions are ended, the player is not refused")

// Ban keeps a player out, whatever identity token the player has: a revocation by subject lets
// tokens in that were issued later. Issuer and Subject are compared exactly with those of tokens;
// that nobody has them is no error.
type Ban struct {
	Issuer  string
	Subject string

	// Until is when the player may come again; zero means when the ban is lifted.
	Until time.Time

	// Reason is what the player is told; zero means ReasonRevoked.
	Reason Reason
}
