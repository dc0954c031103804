// Package policy bounds how much a client may send, and judges whether it is still the client that
// was admitted. It computes in integers, does not allocate after construction, and takes the time
// as an argument. Sources and LiveAddresses are safe for concurrent use; of the other types,
// methods that only read are.
//
//	Sources        handshakes of a source prefix                    ┐ before the client has proven anything
//	LiveAddresses  one more handshake for addresses of live players ┘
//	Fingerprint    what a client states, proves and comes from      ┐ each datagram of a session that has passed
//	Behaviour      datagrams, bytes and state changes of a session  ┘ tag and replay, once
//
// Call the last two after the check of tag and replay window: a sender that cannot forge a datagram
// of the session must not be able to have it revoked.
//
// # Fingerprint
//
// A session is bound to the Fingerprint that it began with. Digest detects a change cheaply, Judge
// compares part by part, and FingerprintConfig configures the action for each part.
//
//	platform, build         stated by the client          require    a running program does not change them
//	certificate, channel    proven by DTLS                require    another key, another connection
//	network                 observed, /24 or /56          step up    honest players change networks, and can prove
//	                                                                 themselves to the identity provider again
//
// # Behaviour
//
// State changes are the actions that a datagram asks for; the game counts them. They are summed
// over a sliding Window:
//
//	0 … Flag … Limit … Revoke …        by default 256, 400 and 480 within 1 s
//	│   │      │       └ the session ends, unless the path may have delayed that many (credit.go)
//	│   │      └ the datagram is dropped, its state changes still count
//	│   └ recorded, once until the count is back at half of Flag
//	└ allowed
//
// # Buckets
//
// A token bucket is kept as one instant: when it would be full again if nothing more were taken
// (internal/bucket). A full bucket equals a forgotten one, so Sources forgets a source that was
// quiet for one window at no loss.
package policy
