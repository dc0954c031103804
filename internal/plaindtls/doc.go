// Package plaindtls is DTLS 1.2 without a session on top: a server on package dtls, and a client
// on the same engine and records. It talks to any DTLS stack.
//
// It is not for games. It does not know who its peers are: there is no identity, no token, no
// expiry, no revocation, no rate, and nothing but the record layer against replays. It is for
// tests with foreign stacks and for measurements.
package plaindtls
