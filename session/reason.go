package session

import "github.com/sallyport/sallyport/internal/wire"

// Reason is why a session ended or did not begin: the code in a CLOSE. PROTOCOL.md 10 lists them. A
// client treats one that it does not know like any other end.
type Reason = wire.Reason

// The reasons of version 1. A client may try again unchanged after ReasonShutdown, ReasonFull,
// ReasonBusy and ReasonUnavailable, with a fresh identity token after ReasonExpired and ReasonUsed,
// and after the others only if the player asks for it.
const (
	ReasonLeft        Reason = 1  // the client or the match ended the session as planned
	ReasonShutdown    Reason = 2  // the server shuts down; another one may take the player
	ReasonKicked      Reason = 3  // the match removed the player
	ReasonMalformed   Reason = 4  // HELLO is malformed
	ReasonVersion     Reason = 5  // the server serves other versions of the protocol
	ReasonToken       Reason = 6  // form, signature, issuer, audience or times of the identity token
	ReasonExpired     Reason = 7  // the identity token has expired
	ReasonScope       Reason = 8  // the identity token does not permit this match
	ReasonFingerprint Reason = 9  // the client differs from what the token or session is bound to, or a step up has lapsed
	ReasonUsed        Reason = 10 // the identity token has opened or renewed a session before
	ReasonFull        Reason = 11 // no seat is free, or none for another session of this player
	ReasonBusy        Reason = 12 // too many verifications wait
	ReasonRevoked     Reason = 13 // the session or its identity token is revoked, or its player is banned
	ReasonBinding     Reason = 14 // the server does not accept this binding mode
	ReasonTicket      Reason = 15 // the ticket is no longer valid, or the server issues none
	ReasonUnavailable Reason = 16 // the issuer's keys are not available
	ReasonIdle        Reason = 17 // nothing arrived for the idle time, or no whole HELLO; also for a match that removes players for silence, see transport.Player.Kick
	ReasonReplaced    Reason = 18 // another connection or another session of the player replaces this one
	ReasonRate        Reason = 19 // rate or behaviour exceeded the revocation limit

	// ReasonGame is the first of the game's own reasons, up to 255. Their meaning is between a
	// match and its clients; they end the session and its tickets.
	ReasonGame Reason = 128
)
