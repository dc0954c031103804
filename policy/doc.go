// Package policy is configuration: how much a client may send, and what happens when a client is no
// longer like the one that was admitted. A server takes it in transport.Config and session.Config.
//
//	SourceConfig        handshakes of a source prefix       before a client has proven anything
//	BehaviourConfig     datagrams, bytes and state changes  ┐ each datagram of a session that has passed
//	FingerprintConfig   what a client states and proves,    │ tag and replay, once
//	                    and the network that it comes from  ┘
//
// The zero value of each works. WithDefaults returns the numbers that it stands for.
//
// # Fingerprint
//
// A session is bound to the fingerprint that it began with. FingerprintConfig sets the Action for
// each part that may change:
//
//	platform, build         stated by the client          require    a running program does not change them
//	certificate, channel    proven by DTLS                require    another key, another connection
//	network                 observed, /24 or /56          step up    honest players change networks, and can prove
//	                                                                 themselves to the identity provider again
//
// # Behaviour
//
// State changes are the actions that a datagram asks for; the game counts them in
// session.Config.Cost. They are summed over a sliding Window:
//
//	0 … Flag … Limit … Revoke …        by default 256, 400 and 480 within 1 s
//	│   │      │       └ the session ends, unless the path may have delayed that many
//	│   │      └ the datagram is dropped, its state changes still count
//	│   └ recorded, once until the count is back at half of Flag
//	└ allowed
package policy
