package revocation

import "crypto/ed25519"

// Trusted is a publisher that a Subscriber believes.
type Trusted struct {
	Name string            // for the log, the audit and metrics; at most 64 bytes
	Key  ed25519.PublicKey // its public key

	// Kinds are those that it may publish: ServerKinds for a match server, AllKinds for a central
	// publisher. Records of other kinds are ignored, counted and reported. It may lift bans of other
	// publishers only with LiftAny.
	Kinds   Kinds
	LiftAny bool

	// Optional means that the publisher's silence is only shown, and has no other consequence. It is
	// meant for match servers, which come and go. What it has published is in force whether or not it
	// runs.
	//
	// Whoever steals the key of such a server can ban and revoke players, so an optional publisher is
	// limited: to 16,384 bans in force, as many lifts, and as many sessions revoked in 24 h. More are
	// ignored, counted as SubscriberCounts.Forbidden, and raise an alarm. All of them together may use
	// half of the 262,144 bans and lifts that a Subscriber compares.
	Optional bool
}
