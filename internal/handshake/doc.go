// Package handshake is the seam between a DTLS engine, which negotiates keys, and package record, which uses
// them. An engine sees one connection through a Conn, a net.Conn that is fed by the owner of the socket and
// lets only what a handshake needs come through. When the keys are there the engine goes away:
//
//	socket ─ Deliver ─► filter ─► Read ─► engine        Taken    a handshake record, copied
//	                      │                             Refused  breaks a rule or a limit: drop it
//	                      └──── Divert ────────────►    Divert   for the record layer: keep it for the Result
//	socket ◄── send ── observe ◄─ Write ─ engine        until Mute
//
// What reaches the engine:
//
//	type                 epoch 0                               epoch 1
//	20 ChangeCipherSpec  the one right byte, after the keys    never
//	21 alert             never                                 never; client: Divert
//	22 handshake         yes                                   a Finished, after a ChangeCipherSpec
//	23 application data  never                                 never; client: Divert
//	others, other epochs, other versions: never
//
// A server passes nothing but whole ClientHellos, and few, until the client has returned the cookie: the first one
// is written for the engine from the beginning of the client's, the second put together from its fragments and
// checked. It diverts everything from the moment it sends its Finished. The bytes of a handshake are bounded. Records of
// the last flight that come early wait until the engine can use them. An alert of epoch 0 is a hint at why nothing
// else comes, and ends the handshake when that has lasted for AlertPatience.
//
// Nothing here makes an unauthenticated DTLS 1.2 handshake safe from someone who can forge datagrams from the
// peer's address: he can make that handshake fail, and it is tried again. He cannot make it succeed.
package handshake
