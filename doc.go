// Package sallyport is the front page of a UDP transport for authoritative game servers. DTLS 1.2
// encrypts every datagram, and a session token in each is checked every time.
//
// The package has no code, only the tests that guard the repository. A match server imports
// transport, session and token; README.md has a whole one. Package transport draws the path
// of a datagram. PROTOCOL.md has the bytes for clients in other languages, ARCHITECTURE.md the
// packages and the reasons behind them, and SECURITY.md says who is trusted with what.
package sallyport
