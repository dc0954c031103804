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

	// Optional means that its silence is shown, and has no other consequence. It is meant for match
	// servers, which come and go. What it has published is in force whether or not it lives.
	//
	// Whoever steals the key of such a server can ban and put out players, and so an optional publisher
	// has a share: 16,384 bans that hold, as many lifts, and as many sessions revoked in 24 h. What is
	// beyond is ignored, counted as SubscriberCounts.Forbidden, and an alarm. All of them together have
	// half of the 262,144 bans and lifts that a Subscriber compares.
	Optional bool
}
