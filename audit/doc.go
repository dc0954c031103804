// Package audit names the reasons of refusals, counts them, and records trust decisions.
//
// Counters are for every datagram; events are for decisions: one when a session is admitted, refused, renewed, revoked
// or ends, not one for each datagram that follows from it. A Sink takes events and never blocks: the decision stands
// whether or not it can be recorded (fail open), and what was not recorded is counted. Who has to fail closed watches
// JSON.Lost and stops admitting.
//
// JSON writes one line for each event. Fields without a value are left out.
//
//	time        when, UTC, RFC 3339 with milliseconds
//	decision    accept, reject, revoke, renew, close, replace, alarm
//	reason      label of the Drop; absent for DropNone
//	issuer      as configured or claimed           ┐
//	platform    as the client states it            │ text: at most 128 bytes, what does not print
//	build       likewise                           │ is replaced by U+FFFD, so that no viewer
//	scope       the match                          │ takes it for a line or for an escape sequence
//	detail      one short sentence                 ┘
//	subject     32 hex digits of HMAC-SHA256(key, "subject" ‖ 0 ‖ subject)
//	token       32 hex digits of HMAC-SHA256(key, "token" ‖ 0 ‖ token id)
//	session     session id, a number
//	prefix      network of the peer, at most /24 or, for IPv6, /56
//	suppressed  events since the line before that exceeded PerSecond
//	lost        events since the line before that the queue or the writer did not take
//
// Lines, suppressed and lost add up to the events recorded; a last line with the two counts alone is written by Close
// if it takes one. No line holds a token, a key, an address or a player's id in clear; whoever holds the key can find
// a known player's lines, and nobody can once it is gone.
package audit
