package session

import "time"

// Session is what a match may ask of one player's stay in it. The methods are safe for concurrent
// use, and stay valid after the session has ended. Only package transport makes Sessions; more
// methods may be added.
type Session interface {
	// Name is the session's own, 16 random bytes: the same on every connection and every server on
	// which it goes on.
	Name() [16]byte

	// ID is the session's id on the wire: never 0, unique on its server, and another one where the
	// session goes on elsewhere.
	ID() uint32

	// Issuer and Subject together name the player.
	Issuer() string

	// Subject is the player's name at its issuer.
	Subject() string

	// Scope is the match for which the player was admitted.
	Scope() string

	// Fingerprint is what the client stated of itself.
	Fingerprint() Fingerprint

	// TokenID names the newest identity token: its jti.
	TokenID() string

	// Expires is when the session ends unless it is renewed.
	Expires() time.Time

	// Revoke makes the session's next datagram the last: it is dropped, and the player is told
	// once. The session's tickets are refused from now on, even if it has ended meanwhile or lives
	// on another connection to this server. Revoke reports whether the session had not ended for
	// good before.
	Revoke() bool

	// Revoked reports whether the session has been revoked or put out otherwise. Of a session that
	// has been resumed on another connection since, the Session of that connection knows.
	Revoked() bool
}

// Fingerprint is what a client states of itself and is held to.
type Fingerprint struct {
	Platform, Build string
}
