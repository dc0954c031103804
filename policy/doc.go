// Package policy says who may send how much, and who still is who was let in. It measures in integers, allocates nothing
// once made, and takes the time as an argument; Sources and LiveAddresses are safe for concurrent use, and otherwise only
// what reads is.
//
//	Sources        handshakes of a source prefix                    ┐ before anybody has proven anything
//	LiveAddresses  what players' own addresses may do besides       ┘
//	Fingerprint    what a client states, proves and comes from      ┐ each datagram of a session that has passed
//	Behaviour      datagrams, bytes and state changes of a session  ┘ tag and replay, once
//
// Both of a session are to be asked after the tag and the replay window: who cannot make a datagram of the session must
// not be able to have it revoked.
//
// # Fingerprint
//
// A session is bound to the Fingerprint that it began with. Digest tells whether to look again, Judge compares part by
// part, and FingerprintConfig says what a difference leads to.
//
//	platform, build         stated by the client          require    a running program does not change them
//	certificate, channel    proven by DTLS                require    another key, another connection
//	network                 observed, /24 or /56          step up    honest players change networks, and can prove
//	                                                                 themselves to the identity provider again
//
// # Behaviour
//
// State changes are what a datagram asks of the game; the game says how many. They are counted over a sliding Window:
//
//	0 … Flag … Limit … Revoke …        by default 256, 400 and 480 within 1 s
//	│   │      │       └ the session ends, unless the path may have held back so much (credit.go)
//	│   │      └ the datagram is dropped, its state changes count all the same
//	│   └ recorded, once until the count is back at half of Flag
//	└ allowed
//
// # Buckets
//
// A token bucket is kept as one instant: when it would be full again if nothing more were taken
// (internal/bucket).
// A full bucket and a forgotten one are the same, so Sources forgets whoever has been quiet for one window and loses
// nothing by it.
package policy
