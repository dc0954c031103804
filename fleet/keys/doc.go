// Package keys gives the servers of a fleet their fleet keys (package fleetkey) and rotates them
// so that no ticket is lost. One Keeper makes the keys and remembers them; each match server has a
// Holder, which puts them into its fleetkey.Ring. What carries their messages, such as NATS, is
// not trusted.
//
//	Holder                                             Keeper
//	  │  announcement: instance, counter, time,          │  signature, chain, role, time, counter
//	  │  public key, which ring it has                   │
//	  ├─────────────────────────────────────────────────▶│  remembers the instance, on disk
//	  │  grant: epoch, revision, lease, the ring sealed  │
//	  │  to the public key                               │
//	  │◀─────────────────────────────────────────────────┤
//	  │  announcement: the ring that it has now          │
//	  ├─────────────────────────────────────────────────▶│  goes on once every instance has said so
//
// # Messages
//
// Integers are big-endian. A text has its length (2) in front, and so has each certificate, the
// chain as a whole, the body and the signature.
//
//	envelope      version (1), always 1 ‖ kind (1): 1 announcement, 2 grant
//	              chain: certificates in DER, the signer's first ‖ body ‖ signature
//	announcement  fleet, text ‖ instance (16), random ‖ former instance (16), zero for none ‖
//	              counter (8), from 1 ‖ made (8), Unix milliseconds ‖ epoch (8) ‖ revision (8) ‖
//	              leaving (1) ‖ public key (32), X25519
//	grant         fleet, text ‖ instance (16) ‖ counter (8) of the newest announcement ‖ epoch (8) ‖
//	              revision (8) ‖ lease (8), milliseconds ‖ ring, sealed; text, empty for one that
//	              the instance has
//
// A signature is made by the key of the signer's X.509-SVID over 64 spaces, the label "sallyport v1
// fleet keys, " with the kind's name, a zero byte and the body, so that it is good for nothing else,
// not for TLS either. The ring is the content of a key file as fleetkey.Parse reads it, sealed by
// HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM. Its
// info is the label "sallyport v1 fleet keys, ring", a zero byte, and the grant up to lease with the
// SPIFFE id of the recipient, text, behind it. So a sealed ring opens for one instance, epoch and
// revision, and the private key, which never leaves memory, ends with the process.
//
// # Rotation
//
//	                 ring            goes on when
//	PhaseSteady      old             Rotate is called, or RotateEvery is over
//	PhaseSpread      old, next       each instance has said that it has this ring
//	PhaseSwitch      next, old       likewise: from then on nobody seals with old
//	PhaseDrain       next, old       Life is over: old has nothing left to open
//	PhaseSteady      next
//
// The first key of a ring seals and all of them open. Each change has a new revision, and a Holder
// never goes back to a lower one. An epoch begins with a Keeper's store, and with Emergency: that
// drops all keys at once, and the tickets under them.
//
// # An instance that is away
//
// An instance may seal for Lease from the announcement that the newest grant answers; it measures
// that on its own clock. A step waits for an instance until the lease is certainly over, and then
// goes on without it: the instance is left out. An instance without a lease seals with a key of its
// own, which no other server has: its players can resume there and nowhere else. It goes on opening
// what it has keys for. When it hears from the Keeper again it gets the current ring. So a broker
// that is down for less than Lease changes nothing, and one that is down for longer costs players
// the resumption on another server, but no session.
//
// A Holder with a File starts with the keys and the lease of the process before it, and takes its
// place, so a restart delays no rotation and loses nothing.
//
// # What a broker can do
//
// It can delay: announcements from reaching the Keeper, which then waits for Lease, and grants from
// reaching an instance, which then has no lease. It can neither read nor forge, and what it repeats
// is refused: an announcement has a counter and is made at most Skew ago, a grant names the
// instance, a revision and the announcement that it answers.
package keys
