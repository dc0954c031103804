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
	Optional bool
}
