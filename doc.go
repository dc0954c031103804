// Package sallyport is the front page of a UDP transport for game servers that trusts no datagram on account of an
// earlier one. DTLS 1.2 encrypts the way, each datagram carries a token of its own, and each is judged again:
// identity, expiry, revocation, fingerprint, replay, rate. The package holds no code, only the tests that guard the
// repository. A match server imports transport and session; PROTOCOL.md has the bytes for everyone else.
//
// # A datagram's way in
//
//	UDP socket, many datagrams per system call
//	  gate           size, first byte, budget of the source          transport, policy
//	  connection     by remote address, or by the hint               transport
//	    handshake records   the engine, until it has the keys        handshake, handshake/pion2
//	    everything else     opened in place, new in its window       record
//	  envelope       kind, epoch, session id, sequence, tag          wire
//	  session        this connection's, live, unexpired, unrevoked   session
//	  replay         inside the window and not seen before           replay
//	  tag            equal, compared in constant time                session
//	  mark           first state to move: a copy never counts twice  replay
//	  fingerprint    observed is what the token was bound to         session, policy
//	  rate           may it send this much?                          policy
//	  match server   payload borrowed for the tick, with its player
//
// A datagram that fails a step is dropped without an answer and counted under one reason, a Drop of package audit.
// Up to the tag nothing allocates, no two cores share a lock, and no sender without a session has an effect.
// The way out is the mirror: payload, envelope, record, one batch per tick.
//
// # Rooms
//
//	wire             bytes to envelopes and back
//	replay           sliding window over sequence numbers
//	policy           budgets per source, rates per session
//	audit            why a datagram was dropped; one event per trust decision
//	token            who is this player? JWT, keys, issuers
//	record           DTLS 1.2 records after the handshake
//	handshake        seam to the engine that negotiates keys; handshake/pion2 is that engine
//	session          a player's stay: states, keys, renewal, revocation
//	transport        sockets, connections, tick loop, client
//	examples/server  a match server; examples/client plays on it
//	fuzz             targets that cross packages
//
// Imports point from transport towards wire, replay, policy and audit; the table is in arch_test.go.
// ARCHITECTURE.md gives the reasons, SECURITY.md says who is trusted with what.
package sallyport
