package session

import "time"

// Session is what a match may ask about one player's stay in it. The methods are safe for
// concurrent use, and stay valid after the session has ended. Only package transport makes
// Sessions; more methods may be added.
type Session interface {
	// Name returns the session's name, 16 bytes: the same on every connection and every server. No
	// other session has it. It is no secret.
	Name() [16]byte

	// ID returns the session's id on the wire: never 0, unique on its server, and another one after
	// the session is resumed on another server.
	ID() uint32

	// Issuer returns the issuer of the identity token. Issuer and Subject together identify the
	// player.
	Issuer() string

	// Subject returns the player's name at the issuer.
	Subject() string

	// Scope returns the match that the player was admitted to.
	Scope() string

	// Fingerprint returns what the client stated about itself.
	Fingerprint() Fingerprint

	// Identity returns what the newest identity token says about the player: user name, groups and
	// claims of the game's own. Some of it may be unknown after the session has been resumed.
	Identity() Identity

	// TokenID returns the id (jti) of the newest identity token.
	TokenID() string

	// Expires returns when the session ends unless it is renewed.
	Expires() time.Time

	// Revoke ends the session with its next datagram: that is dropped, and the player is told once.
	// The session's tickets are refused from now on, even if it has ended meanwhile or lives on
	// another connection of this server. Revoke reports whether it had any effect: false means that
	// the session had already ended for good.
	Revoke() bool

	// Revoked reports whether the session has been revoked or ended by the server otherwise. If the
	// session has been resumed on another connection since, ask the Session of that connection.
	Revoked() bool
}

// Fingerprint is what a client states about itself and must keep.
type Fingerprint struct {
	Platform, Build string
}
