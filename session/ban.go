package session

import (
	"errors"
	"time"
)

// ErrBan means that a Ban names no player, or has a Reason after which a client would reconnect.
var ErrBan = errors.New("session: a ban needs an issuer, a subject, and a reason of kicked, wrong scope, fingerprint changed, revoked, too many datagrams, or ReasonGame and above")

// ErrBansFull means that MaxBans are kept already and none of them has expired. The player's
// sessions have ended, but the player can join again. Refuse newcomers, or raise MaxBans.
var ErrBansFull = errors.New("session: MaxBans reached; the player's sessions are ended, but the player is not refused")

// Ban keeps a player out, with whatever identity token; a revocation by subject admits tokens that
// were issued later. Issuer and Subject are compared exactly with those of tokens. It is no error
// if no player has them.
type Ban struct {
	Issuer  string
	Subject string

	// Until is when the player may join again; zero means when the ban is lifted.
	Until time.Time

	// Reason is sent to the player; zero means ReasonRevoked.
	Reason Reason
}
