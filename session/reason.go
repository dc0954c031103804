package session

import "github.com/sallyport/sallyport/internal/wire"

// Reason is why a session ended or did not begin: the code in a CLOSE. PROTOCOL.md 10 lists them. A
// client treats one that it does not know like any other end.
type Reason = wire.Reason

// The reasons of version 1. A client may try again unchanged after ReasonShutdown, ReasonFull,
// ReasonBusy and ReasonUnavailable, with a fresh identity token after ReasonExpired and ReasonUsed,
// and after the others only if the player asks for it.
const (
	ReasonLeft        Reason = wire.ReasonLeft        // the client or the match ended the session as planned
	ReasonShutdown    Reason = wire.ReasonShutdown    // the server shuts down; another one may take the player
	ReasonKicked      Reason = wire.ReasonKicked      // the match removed the player
	ReasonMalformed   Reason = wire.ReasonMalformed   // HELLO is malformed
	ReasonVersion     Reason = wire.ReasonVersion     // the server serves other versions of the protocol
	ReasonToken       Reason = wire.ReasonToken       // form, signature, issuer, audience or times of the identity token
	ReasonExpired     Reason = wire.ReasonExpired     // the identity token has expired
	ReasonScope       Reason = wire.ReasonScope       // the identity token does not permit this match
	ReasonFingerprint Reason = wire.ReasonFingerprint // the client differs from what the token or session is bound to, or a step up has lapsed
	ReasonUsed        Reason = wire.ReasonUsed        // the identity token has opened or renewed a session before
	ReasonFull        Reason = wire.ReasonFull        // no seat is free, or none for another session of this player
	ReasonBusy        Reason = wire.ReasonBusy        // too many verifications wait
	ReasonRevoked     Reason = wire.ReasonRevoked     // the session or its identity token is revoked, or its player is banned
	ReasonBinding     Reason = wire.ReasonBinding     // the server does not accept this binding mode
	ReasonTicket      Reason = wire.ReasonTicket      // the ticket is no longer valid, or the server issues none
	ReasonUnavailable Reason = wire.ReasonUnavailable // the issuer's keys are not available
	ReasonIdle        Reason = wire.ReasonIdle        // nothing arrived for the idle time
	ReasonReplaced    Reason = wire.ReasonReplaced    // another connection or another session of the player replaces this one
	ReasonRate        Reason = wire.ReasonRate        // rate or behaviour exceeded the revocation limit

	// ReasonGame is the first of the game's own reasons, up to 255. Their meaning is between a
	// match and its clients; they end the session and its tickets.
	ReasonGame Reason = wire.ReasonGame
)
