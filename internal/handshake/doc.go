// Package handshake connects a DTLS engine, which negotiates keys, with package record, which uses
// them. An engine sees one connection through a Conn, a net.Conn that the owner of the socket feeds
// and that passes only the records of a handshake. Once it has negotiated the keys, the engine is
// discarded:
//
//	socket ─ Deliver ─► filter ─► Read ─► engine        Taken    a handshake record, copied
//	                      │                             Unsure   the same, but anybody may have written it
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
// Until the client has returned the cookie, a server passes only few ClientHellos, each of them
// complete: it writes the first for the engine from the beginning of the client's, and assembles
// and checks the second. It diverts everything from the moment it sends its Finished. The bytes of
// a handshake are bounded. Records of the last flight that arrive early wait until the engine can
// use them. An alert of epoch 0 ends the handshake only if nothing better arrives for
// AlertPatience.
//
// Both ends pass no record of epoch 0 whose number is not the handshake's: a client begins at a random
// one. Who does not see a handshake cannot write into it. Nothing here protects it from an attacker who
// sees it and can forge datagrams from the peer's address: the attacker can make it fail, and it is
// tried again, but cannot make it succeed.
package handshake
