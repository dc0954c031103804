package session

import (
	"errors"
	"time"
)

// ErrBan means that a Ban names no player, has a Reason after which a client would reconnect, or a
// Note that is too long.
var ErrBan = errors.New("session: a ban needs an issuer, a subject, and a reason of kicked, wrong scope, fingerprint changed, revoked, too many datagrams, or ReasonGame and above; its note has at most 64 bytes")

// ErrBansFull means that MaxBans are kept already and none of them has expired. The player's
// sessions have ended, but the player can join again. Refuse newcomers, or raise MaxBans.
var ErrBansFull = errors.New("session: MaxBans reached; the player's sessions are ended, but the player is not refused")

// Ban keeps a player out, whatever identity token the player shows; a revocation by subject admits
// tokens that were issued later. Issuer and Subject are compared exactly with those of tokens. It
// is no error if no player has them.
type Ban struct {
	Issuer  string
	Subject string

	// Until is when the player may join again; zero means when the ban is lifted.
	Until time.Time

	// Reason is sent to the player; zero means ReasonRevoked.
	Reason Reason

	// Note says why, for the audit and for transport.Server.Bans; the player does not get it. At most
	// 64 bytes. It should name neither a person nor an address, because the audit does not.
	Note string

	// Everywhere says that every server of the fleet is told of the ban, so that Config.OnUsed is not
	// called for the sessions that it ends: set it for bans from a feed. Such a ban is kept beside one
	// of the server's own: transport.Server.Lift ends the server's own, LiftEverywhere the feed's.
	Everywhere bool
}
