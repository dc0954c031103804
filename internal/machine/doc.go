// Package machine implements sessions: how one begins, how each of its datagrams is authenticated,
// how it is renewed, and how it ends.
//
// Everything here is a state machine without sockets, clocks or goroutines: it takes the time and
// the plaintext of one DTLS record, and returns what to send and what happened. PROTOCOL.md
// specifies the bytes.
//
// The states of a [Conn], each change of which is in this table (TestMain compares them):
//
//	opening   → verifying  a complete HELLO
//	opening   → live       Restore, out of a snapshot
//	opening   → closed     a malformed HELLO, 5 s, Close
//	verifying → live       the identity token is accepted: WELCOME
//	verifying → welcomed   the ticket is accepted: WELCOME
//	verifying → closed     token or ticket is refused, 5 s, Close
//	welcomed  → live       the first accepted datagram: the session lives here now
//	welcomed  → closed     5 s, expiry, revocation, another resumption, Close
//	live      → closed     CLOSE, expiry, idle, revocation, a lapsed step up, a takeover, Close
//
// A session outlives its connection. WELCOME and RENEWED bring a ticket, and a HELLO with a ticket
// leads to welcomed. There the session still lives on the former connection, if it lives at all.
// The Event of the first accepted datagram says [EventTakeover] if the session has moved here from
// the former connection, which is closed then, and [EventJoined] if it has lived nowhere on this
// server.
//
// [Conn.Save] and [Conn.Restore] carry a session into another process.
//
// A [Gate] admits the sessions of a server: it knows which identity tokens and tickets have been
// used and which session ids are taken, and all connections share it. A [Conn] is the server's end
// of one connection, a [Client] the other end. Both embed a link: epochs, keys, replay window,
// sequence numbers.
//
// Verifying a signature takes longer than a tick allows, so a machine never does it: it returns
// [EventVerify] with the token, and [Conn.Verified] takes the outcome later.
//
// A Conn or Client has two halves. The receiving half (Handle, Verified, Tick) belongs to one
// goroutine, the sending half (Append) to one at a time; the two halves may run concurrently. The
// methods of [Session] are safe for concurrent use.
package machine
