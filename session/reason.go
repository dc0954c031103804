package session

import "github.com/sallyport/sallyport/internal/wire"

// Reason says why a session ended or did not begin: the code in a CLOSE. PROTOCOL.md 10 lists them.
// A client treats one that it does not know as an end like any other.
type Reason = wire.Reason

// The reasons of version 1. After ReasonShutdown, ReasonFull, ReasonBusy and ReasonUnavailable a
// client may try again as it is, after ReasonExpired and ReasonUsed with a fresh identity token,
// after the others not without the player.
const (
	ReasonLeft        Reason = wire.ReasonLeft        // the client, or the match, ends the stay as planned
	ReasonShutdown    Reason = wire.ReasonShutdown    // the server is going; another one may take the player
	ReasonKicked      Reason = wire.ReasonKicked      // the match put the player out
	ReasonMalformed   Reason = wire.ReasonMalformed   // a HELLO is not of this protocol
	ReasonVersion     Reason = wire.ReasonVersion     // the server serves other versions of the protocol
	ReasonToken       Reason = wire.ReasonToken       // form, signature, issuer, audience or times of the identity token
	ReasonExpired     Reason = wire.ReasonExpired     // the identity token has expired, at HELLO or since
	ReasonScope       Reason = wire.ReasonScope       // the identity token does not permit this match
	ReasonFingerprint Reason = wire.ReasonFingerprint // the client is not what the token or session is bound to; a step up has lapsed
	ReasonUsed        Reason = wire.ReasonUsed        // the identity token has opened or renewed a session before
	ReasonFull        Reason = wire.ReasonFull        // no seat is free, or none for another session of this player
	ReasonBusy        Reason = wire.ReasonBusy        // too many verifications wait
	ReasonRevoked     Reason = wire.ReasonRevoked     // the session or its identity token was revoked, or its player is banned
	ReasonBinding     Reason = wire.ReasonBinding     // the server does not take this binding mode
	ReasonTicket      Reason = wire.ReasonTicket      // the ticket is not good any more, or the server gives none
	ReasonUnavailable Reason = wire.ReasonUnavailable // the issuer's keys cannot be had
	ReasonIdle        Reason = wire.ReasonIdle        // nothing came for the idle time
	ReasonReplaced    Reason = wire.ReasonReplaced    // the player has come back by another connection, or has another session in place of this one
	ReasonRate        Reason = wire.ReasonRate        // rate or behaviour past the revocation line

	// ReasonGame is the first of the reasons that are the game's own: it and all above, up to 255.
	// What they mean is between a match and its clients; they end the session and its tickets.
	ReasonGame Reason = wire.ReasonGame
)
