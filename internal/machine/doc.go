// Package machine runs a player's session: how it begins, what every
// datagram of it must prove, how it is renewed, and how it ends.
//
// Everything here is a state machine without sockets, clocks or goroutines: it
// takes the time and the plaintext of one DTLS record, and returns what to send
// and what happened. PROTOCOL.md has the bytes.
//
//	          HELLO                  verified            CLOSE, expiry,
//	opening ─────────▶ verifying ─────────────▶ live ─── revocation, idle ──▶ closed
//	   │                   │                     │ ▲
//	   │ 5 s               │ refused             │ │ RENEW, verified, first
//	   ▼                   ▼                     ▼ │ datagram of the new epoch
//	 closed              closed                renewing
//
// A session outlives its connection. With WELCOME and RENEWED comes a ticket; a
// HELLO with one leads to resuming in place of verifying, and the first datagram
// that is accepted then moves the session over from where it lived:
//
//	          HELLO, ticket               Resume            first datagram
//	opening ────────────────▶ verifying ─────────▶ resuming ───────────────▶ live
//	                                                  │ the former Conn is live until then, and closed afterwards
//
// [Conn.Save] and [Conn.Restore] carry it into another process.
//
// A [Gate] is a server's door: it knows which identity tokens and tickets have
// been used and which session ids are taken, and any number of connections share
// it. A [Conn] is the server's end of one connection, a [Client] the other end. Both
// stand on the same link: epochs, keys, replay window, sequence numbers.
//
// Verifying a signature takes longer than a tick allows, so a machine never
// does it: it returns [EventVerify] with the token, and takes the outcome by
// [Conn.Verified] when there is one.
//
// A Conn or Client has two halves. The receiving half (Handle, Verified, Tick)
// belongs to one goroutine, the sending half (Append) to one at a time; the two
// halves may run at the same time. [Session] methods are safe for everybody.
package machine
